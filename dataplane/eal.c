/* SPDX-License-Identifier: Apache-2.0 */
#include "eal.h"

#include "config/log.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 32 + 2 * CONFIG_PORTS_MAX, ARGUMENT_LEN = CONFIG_DEVICE_LEN + 64, HUGE_PAGE_KIB = 2048 };

struct arguments {
	char text[ARGUMENTS_MAX][ARGUMENT_LEN];
	char *pointers[ARGUMENTS_MAX + 1];
	int count;
};

__attribute__((format(printf, 2, 3))) static void add(struct arguments *arguments, const char *format, ...)
{
	char *text = arguments->text[arguments->count];
	va_list list;

	if (arguments->count == ARGUMENTS_MAX)
		return;
	va_start(list, format);
	vsnprintf(text, ARGUMENT_LEN, format, list);
	va_end(list);
	arguments->pointers[arguments->count++] = text;
}

/* Free memory in 2 MiB pages, MiB. */
static uint64_t huge_pages_free(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned long pages = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (HUGE_PAGE_KIB / 1024);
}

static int memory_add(struct arguments *arguments, const struct config_dataplane *config)
{
	uint64_t free_mib = huge_pages_free();
	bool huge = config->huge_pages != CONFIG_HUGE_PAGES_NEVER && free_mib >= config->memory;

	if (!huge && config->huge_pages == CONFIG_HUGE_PAGES_REQUIRE) {
		log_error("event=start_failed reason=\"dataplane.huge_pages is \\\"require\\\", but of %u MiB only %llu are free "
			  "in 2 MiB pages: reserve more (/proc/sys/vm/nr_hugepages) or lower dataplane.memory\"",
			config->memory, (unsigned long long)free_mib);
		return -ENOMEM;
	}
	/* --in-memory: nothing stays in hugetlbfs when the process dies. */
	if (huge)
		add(arguments, "--in-memory");
	else
		add(arguments, "--no-huge");
	add(arguments, "-m");
	add(arguments, "%u", config->memory);
	log_info("event=memory mib=%u huge_pages=%s", config->memory, huge ? "yes" : "no");
	return 0;
}

static bool is_pci(const char *device)
{
	unsigned int domain, bus, slot, function;

	return sscanf(device, "%x:%x:%x.%x", &domain, &bus, &slot, &function) == 4 ||
	       sscanf(device, "%x:%x.%x", &bus, &slot, &function) == 3;
}

/* These drivers have as many queues as they are told, one by default. NULL: another one. */
static const char *queues_argument(const char *device)
{
	if (strncmp(device, "net_af_packet", 13) == 0)
		return "qpairs=";
	return strncmp(device, "net_af_xdp", 10) == 0 ? "queue_count=" : NULL;
}

static void devices_add(struct arguments *arguments, const struct config_dataplane *config)
{
	bool any_pci = false;

	for (uint16_t i = 0; i < config->n_ports; i++) {
		const char *device = config->ports[i].device;
		const char *queues = queues_argument(device);

		any_pci |= is_pci(device);
		if (is_pci(device))
			add(arguments, "--allow=%s", device);
		else if (queues && !strstr(device, queues))
			add(arguments, "--vdev=%s,%s%u", device, queues, config->n_workers);
		else
			add(arguments, "--vdev=%s", device);
	}
	if (!any_pci)
		add(arguments, "--no-pci");
}

static int cores_add(struct arguments *arguments, const struct config_dataplane *config)
{
	long cores = sysconf(_SC_NPROCESSORS_CONF);
	char map[ARGUMENT_LEN];
	int at = snprintf(map, sizeof(map), "0@%u", config->main_core);

	for (uint16_t i = 0; i < config->n_workers; i++) {
		at += snprintf(map + at, sizeof(map) - (size_t)at, ",%u@%u", i + 1, config->worker_cores[i]);
		if (config->worker_cores[i] >= cores || at >= (int)sizeof(map)) {
			log_error("event=start_failed reason=\"dataplane.worker_cores names core %u, but this machine has cores 0 "
				  "to %ld\"",
				config->worker_cores[i], cores - 1);
			return -EINVAL;
		}
	}
	if (config->main_core >= cores) {
		log_error("event=start_failed reason=\"dataplane.main_core is %u, but this machine has cores 0 to %ld\"",
			config->main_core, cores - 1);
		return -EINVAL;
	}
	add(arguments, "--lcores=%s", map);
	add(arguments, "--main-lcore=0");
	return 0;
}

int eal_start(const struct config *config)
{
	struct arguments *arguments = calloc(1, sizeof(*arguments));
	int rc;

	if (!arguments)
		return -ENOMEM;
	add(arguments, "sluice-dataplane");
	rc = cores_add(arguments, &config->dataplane);
	if (rc == 0)
		rc = memory_add(arguments, &config->dataplane);
	if (rc < 0)
		goto out;
	add(arguments, "--no-telemetry");
	add(arguments, "--no-shconf");
	add(arguments, "--log-level=%s", config->log_level >= LOG_LEVEL_DEBUG ? "info" : "error");
	add(arguments, "--log-level=pmd.net.tap:critical"); /* what it lacks of traffic control, we do not use */
	devices_add(arguments, &config->dataplane);
	rc = rte_eal_init(arguments->count, arguments->pointers) < 0 ? -rte_errno : 0;
	if (rc < 0)
		log_error("event=start_failed reason=\"DPDK does not start: %s (its own lines above say more)\"",
			rte_strerror(-rc));
out:
	free(arguments);
	return rc;
}

void eal_stop(void)
{
	rte_eal_cleanup();
}
