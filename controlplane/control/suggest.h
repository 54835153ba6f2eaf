/* SPDX-License-Identifier: Apache-2.0 */
/* What a person may have meant who typed something else: the nearest of a list of words by edit distance. */
#pragma once

/* `words` ends with NULL. NULL when none is near enough to be meant. */
const char *suggest(const char *typed, const char *const *words);
