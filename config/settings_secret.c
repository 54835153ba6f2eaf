/* SPDX-License-Identifier: Apache-2.0 */
/* Pre-shared keys, from the configuration or from a file of their own, and passwords from one. No sentence here shows
 * more than a length. */
#include "config/settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SECRET_TEXT_MIN = 20,			     /* characters: 120 bits of base64 */
	SECRET_HEX_MIN = 16,			     /* bytes */
	SECRET_TEXT_MAX = 2 * CONFIG_SECRET_LEN + 2, /* characters: "0x" and all digits */
};

/* RFC 2409 section 5.4: the responder's HASH_R goes out in the clear and tries guesses without any further message. */
#define SECRET_WHY                                                                                                     \
	", since IKEv1 aggressive mode lets an eavesdropper try guesses offline; `openssl rand -base64 24` makes one"

static int secret_digit(char character)
{
	const char *digits = "0123456789abcdef";
	const char *digit = character ? strchr(digits, tolower((unsigned char)character)) : NULL;

	return digit ? (int)(digit - digits) : -1;
}

/* The text behind "0x". */
static bool secret_store_hex(struct settings_reader *reader, const config_setting_t *where, const char *text,
	uint8_t *out, uint16_t *out_len)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		if (secret_digit(text[i]) >= 0 && len % 2 == 0)
			continue;
		settings_refuse(reader, where, NULL,
			"(%zu characters) is not a hexadecimal key; expected \"0x\" and two digits a byte", len + 2);
		return false;
	}
	if (len / 2 < SECRET_HEX_MIN || len / 2 > CONFIG_SECRET_LEN) {
		settings_refuse(reader, where, NULL,
			"(%zu bytes) is not of a length that fits; expected %d to %d bytes%s", len / 2, SECRET_HEX_MIN,
			CONFIG_SECRET_LEN, len / 2 < SECRET_HEX_MIN ? SECRET_WHY : "");
		return false;
	}
	for (size_t i = 0; i < len / 2; i++)
		out[i] = (uint8_t)(secret_digit(text[2 * i]) << 4 | secret_digit(text[2 * i + 1]));
	*out_len = (uint16_t)(len / 2);
	return true;
}

static bool secret_store_text(struct settings_reader *reader, const config_setting_t *where, const char *text,
	uint8_t *out, uint16_t *out_len)
{
	size_t len = strlen(text);

	if (strncmp(text, "0x", 2) == 0)
		return secret_store_hex(reader, where, text + 2, out, out_len);
	if (len < SECRET_TEXT_MIN || len > CONFIG_SECRET_LEN) {
		settings_refuse(reader, where, NULL,
			"(%zu characters) is not of a length that fits; expected %d to %d characters%s", len,
			SECRET_TEXT_MIN, CONFIG_SECRET_LEN, len < SECRET_TEXT_MIN ? SECRET_WHY : "");
		return false;
	}
	memcpy(out, text, len);
	*out_len = (uint16_t)len;
	return true;
}

/* Of a user: how good it is was for its gateway to judge. */
static bool secret_store_password(struct settings_reader *reader, const config_setting_t *where, const char *text,
	uint8_t *out, uint16_t *out_len)
{
	size_t len = strlen(text);

	if (len == 0 || len >= CONFIG_PASSWORD_LEN) {
		settings_refuse(reader, where, NULL,
			"(%zu characters) is not of a length that fits; expected 1 to %d characters", len,
			CONFIG_PASSWORD_LEN - 1);
		return false;
	}
	memcpy(out, text, len + 1);
	*out_len = (uint16_t)len;
	return true;
}

bool settings_locate(const struct settings_reader *reader, const char *name, char *path, size_t size)
{
	const char *slash = reader->file ? strrchr(reader->file, '/') : NULL;
	int directory_len = name[0] != '/' && slash ? (int)(slash - reader->file) + 1 : 0;

	return (size_t)snprintf(path, size, "%.*s%s", directory_len, slash ? reader->file : "", name) < size;
}

/* What a file may hold. */
struct secret_kind {
	const char *name;    /* in sentences */
	const char *or_else; /* what besides one line of text it may be */
	bool (*store)(struct settings_reader *reader, const config_setting_t *where, const char *text, uint8_t *out,
		uint16_t *out_len);
};

static const struct secret_kind secret_key = {"key", ", or \"0x\" and hexadecimal digits", secret_store_text};
static const struct secret_kind secret_password = {"password", "", secret_store_password};

/*
 * Opens the file and says why not. A name that leads nowhere is not repeated: it may be the secret itself, written
 * behind the wrong setting.
 */
static int secret_open(
	struct settings_reader *reader, const config_setting_t *where, const struct secret_kind *kind, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* nobody waits for a FIFO */
	int error = errno;
	struct stat st;

	if (fd < 0) {
		settings_refuse(reader, where, NULL,
			"(%zu characters) is not a file that can be read: %s; expected a path, relative to the "
			"configuration file",
			strlen(config_setting_get_string(where)), strerror(error));
		return -1;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		settings_refuse(
			reader, where, NULL, "\"%s\" is not a regular file; expected one with the %s alone", path,
			kind->name);
	} else if (st.st_mode & (S_IROTH | S_IWOTH)) {
		settings_refuse(reader, where, NULL,
			"\"%s\" is not private: its mode is %04o; expected 0640 or less, say: chmod 640 %s", path,
			(unsigned int)st.st_mode & 07777, path);
	} else {
		return fd;
	}
	close(fd);
	return -1;
}

/* Reads up to `size` - 1 bytes and ends them with zero. Their number, or -1 with errno. */
static ssize_t secret_read(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, text + len, size - 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	text[len] = '\0';
	return n < 0 ? n : (ssize_t)len;
}

static bool secret_store_file(struct settings_reader *reader, const config_setting_t *where,
	const struct secret_kind *kind, uint8_t *out, uint16_t *out_len)
{
	const char *name = config_setting_get_string(where);
	char text[SECRET_TEXT_MAX + 3], path[4096]; /* room for a line's end and for one character too many */
	bool stored = false;
	size_t line_len;
	ssize_t len;
	int fd;

	if (!settings_locate(reader, name, path, sizeof(path))) {
		settings_refuse(
			reader, where, NULL, "(%zu characters) is not a path; expected a shorter one", strlen(name));
		return false;
	}
	fd = secret_open(reader, where, kind, path);
	if (fd < 0)
		return false;
	len = secret_read(fd, text, sizeof(text));
	line_len = strcspn(text, "\r\n");
	if (len < 0) {
		settings_refuse(reader, where, NULL, "\"%s\" is not readable: %s; expected a file with the %s alone",
			path, strerror(errno), kind->name);
	} else if (strlen(text) != (size_t)len) {
		settings_refuse(reader, where, NULL, "\"%s\" is not text; expected one line%s", path, kind->or_else);
	} else if (line_len + strspn(text + line_len, "\r\n") != (size_t)len) {
		settings_refuse(
			reader, where, NULL, "\"%s\" is not a single line; expected the %s alone", path, kind->name);
	} else {
		text[line_len] = '\0';
		stored = kind->store(reader, where, text, out, out_len);
	}
	explicit_bzero(text, sizeof(text));
	close(fd);
	return stored;
}

bool settings_secret_store(struct settings_reader *reader, const struct setting *setting, const config_setting_t *value,
	void *base, void *field)
{
	uint16_t *len = (uint16_t *)((uint8_t *)base + setting->count_offset);

	if (setting->type == SETTING_PASSWORD_FILE)
		return secret_store_file(reader, value, &secret_password, field, len);
	if (setting->type == SETTING_SECRET_FILE)
		return secret_store_file(reader, value, &secret_key, field, len);
	return secret_store_text(reader, value, config_setting_get_string(value), field, len);
}
