/* SPDX-License-Identifier: Apache-2.0 */
/* Name servers set and put back, and what a killed process left: the note, and its undoing. */
#include "connect/dns.h"
#include "connect/undo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/sluice-leftovers-XXXXXX";
static char file[128], before[160];
static struct address servers[2];
static char taken_away[128];

static int setup_group(void **state)
{
	(void)state;
	address_parse("192.168.2.53", &servers[0]);
	address_parse("2001:db8::53", &servers[1]);
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown_group(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int setup(void **state)
{
	(void)state;
	snprintf(file, sizeof(file), "%s/resolv.conf", directory);
	snprintf(before, sizeof(before), "%s.before-vpn0", file);
	taken_away[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(file);
	(void)unlink(before);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static const char *read_file(const char *path)
{
	static char text[512];
	FILE *in = fopen(path, "r");

	assert_non_null(in);
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	return text;
}

static void test_dns(void **state)
{
	struct stat st;

	(void)state;
	write_file(file, "nameserver 192.0.2.1\n");
	assert_int_equal(dns_replace(file, "vpn0", servers, 2), 0);
	assert_non_null(strstr(read_file(file), "\nnameserver 192.168.2.53\nnameserver 2001:db8::53\n"));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	/* Again, as after a crash: the former one is still the former one. */
	assert_int_equal(dns_replace(file, "vpn0", servers, 1), 0);
	assert_string_equal(read_file(before), "nameserver 192.0.2.1\n");
	assert_int_equal(dns_restore(file, "vpn0"), 0);
	assert_string_equal(read_file(file), "nameserver 192.0.2.1\n");
	assert_int_equal(access(before, F_OK), -1);
	/* Nothing of ours is there: nothing happens. */
	assert_int_equal(dns_restore(file, "vpn0"), 0);
	assert_string_equal(read_file(file), "nameserver 192.0.2.1\n");
}

/* A link comes back as a link; where there was nothing there is nothing. */
static void test_dns_link_and_none(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(symlink("/nonexistent/stub", file), 0);
	assert_int_equal(dns_replace(file, "vpn0", servers, 1), 0);
	assert_int_equal(lstat(file, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(dns_restore(file, "vpn0"), 0);
	assert_int_equal(lstat(file, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlink(file), 0);

	assert_int_equal(dns_replace(file, "vpn0", servers, 1), 0);
	assert_int_equal(dns_restore(file, "vpn0"), 0);
	assert_int_equal(access(file, F_OK), -1);
	assert_int_equal(dns_replace("/nonexistent/resolv.conf", "vpn0", servers, 1), -ENOENT);
}

static int take_away(void *context, const struct route *route)
{
	(void)context;
	snprintf(taken_away, sizeof(taken_away), "%d ", route->ifindex);
	route_format(route, taken_away + strlen(taken_away));
	return 0;
}

static const struct routes_kernel kernel = {.remove = take_away};

static void test_note(void **state)
{
	struct undo undo, next;

	(void)state;
	write_file(file, "nameserver 192.0.2.1\n");
	undo_init(&undo, directory, "vpn0");
	assert_int_equal(undo_write(&undo), 0); /* nothing to be undone: no note */
	assert_int_equal(access(undo.path, F_OK), -1);
	prefix_parse("203.0.113.5/32", &undo.gateway.prefix);
	address_parse("192.0.2.1", &undo.gateway.via);
	undo.gateway.ifindex = 3;
	strcpy(undo.dns_file, file);
	assert_int_equal(undo_write(&undo), 0);
	assert_int_equal(dns_replace(file, "vpn0", servers, 1), 0);

	/* Killed. The next one of that interface finds it, one of another does not. */
	undo_init(&next, directory, "vpn1");
	assert_int_equal(undo_leftovers(&next, &kernel), 0);
	undo_init(&next, directory, "vpn0");
	assert_int_equal(undo_leftovers(&next, &kernel), 2);
	assert_string_equal(taken_away, "3 203.0.113.5/32 via 192.0.2.1");
	assert_string_equal(read_file(file), "nameserver 192.0.2.1\n");
	assert_int_equal(access(next.path, F_OK), -1);
	assert_int_equal(undo_leftovers(&next, &kernel), 0);
}

static void test_note_on_link(void **state)
{
	struct undo undo, next;

	(void)state;
	undo_init(&undo, directory, "vpn0");
	prefix_parse("2001:db8::5/128", &undo.gateway.prefix);
	undo.gateway.ifindex = 9;
	assert_int_equal(undo_write(&undo), 0);
	undo_init(&next, directory, "vpn0");
	assert_int_equal(undo_leftovers(&next, &kernel), 1);
	assert_string_equal(taken_away, "9 2001:db8::5/128");
}

static void test_bad_lines(void **state)
{
	static const char *const lines[] = {"", "route", "route x via - dev 3", "route 203.0.113.5/32 via y dev 3",
		"route 203.0.113.5/32 via - dev", "route 203.0.113.5/32 via - dev 3 more", "dns", "dns relative/path",
		"other 1"};
	struct undo undo;

	(void)state;
	undo_init(&undo, directory, "vpn0");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (undo_parse_line(&undo, lines[i]))
			fail_msg("'%s' is taken for a line of a note", lines[i]);
	assert_true(undo_parse_line(&undo, "route 203.0.113.5/32 via - dev 3"));
	assert_true(undo_parse_line(&undo, "dns /etc/resolv.conf"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dns_link_and_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_note, setup, teardown),
		cmocka_unit_test_setup_teardown(test_note_on_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_lines, setup, teardown),
	};

	return cmocka_run_group_tests_name("leftovers", tests, setup_group, teardown_group);
}
