/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 96, NAME_LEN = 40, SETTING = 1000 };

static const char usage[] =
	"Usage: sluice-connect --config FILE [SETTING]...\n"
	"       sluice-connect --gateway ADDRESS --identity NAME --secret-file FILE --remote NETWORK --local NETWORK "
	"...\n"
	"       sluice-connect [--interface NAME] status | rekey | renew\n"
	"Connects this host, and the networks behind it, to an IPsec gateway, and stays in the foreground.\n"
	"\n"
	"  -c, --config FILE       configuration; /etc/sluice/connect.cfg explains each setting\n"
	"      --check             say whether the configuration is good, and end\n"
	"      --once              connect, print what became of it, hang up and end: 0 when the tunnel stood\n"
	"  -j, --json              print the status as JSON\n"
	"      --version           show the version, and end\n"
	"  -h, --help              show this, and end\n"
	"\n"
	"Every setting of the file is an option, and wins over the file; lists have commas or come again. The usual "
	"ones:\n"
	"      --gateway ADDRESS   address or name of the gateway\n"
	"      --gateway-identity NAME\n"
	"                          what it calls itself; without this, as it was given\n"
	"      --identity NAME     what this host calls itself\n"
	"      --secret-file FILE  the pre-shared key (a secret itself would show in the list of processes)\n"
	"      --remote NETWORK    networks to be reached through it (the file's remote_networks)\n"
	"      --local NETWORK     networks of this side (local_networks); without it the gateway is asked for an address\n"
	"      --login NAME --password-file FILE\n"
	"                          the user who logs in, where methods has password, or auth is xauth-psk, xauth-rsa or\n"
	"                          hybrid-rsa\n"
	"      --methods METHOD,...\n"
	"                          registers by TCP and TLS first: kerberos, certificate, password\n"
	"      --authorities FILE  who vouches for the gateway then\n"
	"      --registration PORT,...\n"
	"                          TCP ports to register at, in this order (2012,4009)\n"
	"      --ports PORT,...    UDP ports to try without registration, in this order (500,4500)\n"
	"      --dns ADDRESS,... --dns-file FILE\n"
	"                          name servers while the tunnel stands, and the file that lists them\n"
	"\n"
	"  status                  what the sluice-connect that runs with this interface says; --json for programs\n"
	"  rekey                   makes it negotiate new keys for the data now\n"
	"  renew                   makes it negotiate a new IKE SA, and new keys with it\n";

/* All options: the settings with "-" for "_", and those that are no settings. */
struct names {
	struct option list[NAMES_MAX + 1];
	const char *settings[NAMES_MAX]; /* of each option, the setting; NULL: none */
	char texts[NAMES_MAX][NAME_LEN];
	size_t count;
};

static void add(struct names *names, const char *name, int has_argument, int value, const char *setting)
{
	char *text = names->texts[names->count];

	snprintf(text, NAME_LEN, "%s", name);
	for (char *at = text; (at = strchr(at, '_'));)
		*at = '-';
	names->settings[names->count] = setting;
	names->list[names->count++] = (struct option){text, has_argument, NULL, value};
}

static void make_names(struct names *names)
{
	const char *name;
	bool is_switch;

	names->count = 0;
	add(names, "config", required_argument, 'c', NULL);
	add(names, "check", no_argument, 'k', NULL);
	add(names, "once", no_argument, 'o', NULL);
	add(names, "json", no_argument, 'j', NULL);
	add(names, "version", no_argument, 'V', NULL);
	add(names, "help", no_argument, 'h', NULL);
	add(names, "secret", required_argument, 's', NULL);
	add(names, "local", required_argument, SETTING, "local_networks");
	add(names, "remote", required_argument, SETTING, "remote_networks");
	for (size_t i = 0; (name = connect_option_name(i, &is_switch)) && names->count < NAMES_MAX; i++)
		add(names, name, is_switch ? optional_argument : required_argument, SETTING, name);
	names->list[names->count] = (struct option){0};
}

static bool take_setting(struct options *options, const char *setting, const char *value)
{
	if (options->n_settings == OPTIONS_SETTINGS_MAX) {
		fprintf(stderr, "sluice-connect: more than %d settings on one command line; use a file\n",
			OPTIONS_SETTINGS_MAX);
		return false;
	}
	options->settings[options->n_settings++] = (struct connect_option){setting, value ? value : "true"};
	return true;
}

static bool is_command(const char *text)
{
	return strcmp(text, "status") == 0 || strcmp(text, "rekey") == 0 || strcmp(text, "renew") == 0;
}

static int take_command(int argc, char **argv, struct options *options)
{
	if (optind == argc)
		return -1;
	options->command = argv[optind];
	if (optind + 1 == argc && is_command(argv[optind]))
		return -1;
	fprintf(stderr, "sluice-connect: \"%s\" is not understood; sluice-connect --help shows what is\n",
		is_command(argv[optind]) ? argv[optind + 1] : argv[optind]);
	return EXIT_FAILURE;
}

int options_parse(int argc, char **argv, struct options *options)
{
	static struct names names;
	int option, index = 0;

	make_names(&names);
	*options = (struct options){.config = NULL};
	while ((option = getopt_long(argc, argv, "c:jh", names.list, &index)) != -1) {
		switch (option) {
		case 'c': options->config = optarg; break;
		case 'k': options->check = true; break;
		case 'o': options->once = true; break;
		case 'j': options->json = true; break;
		case 'V': printf("sluice-connect %s\n", SLUICE_VERSION); return EXIT_SUCCESS;
		case 'h': fputs(usage, stdout); return EXIT_SUCCESS;
		case 's':
			/* Out of sight as soon as can be; it may have been seen all the same. */
			explicit_bzero(optarg, strlen(optarg));
			fputs("sluice-connect: a secret on the command line can be read by everybody on this host; put "
			      "it "
			      "into a file and give that by --secret-file\n",
				stderr);
			return EXIT_FAILURE;
		case SETTING:
			if (!take_setting(options, names.settings[index], optarg))
				return EXIT_FAILURE;
			break;
		default: fputs("sluice-connect: try sluice-connect --help\n", stderr); return EXIT_FAILURE;
		}
	}
	return take_command(argc, argv, options);
}
