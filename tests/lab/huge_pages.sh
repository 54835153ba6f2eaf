# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Huge pages of 2 MiB for the data plane. They stay reserved; `echo 0 > /proc/sys/vm/nr_hugepages` gives them back.

huge_pages_free() { awk '/^HugePages_Free:/ { print $2 }' /proc/meminfo; }

# huge_pages_reserve COUNT: true when so many are free and mounted; false after a sentence otherwise. A data plane whose
# huge_pages setting is "auto" then does without.
huge_pages_reserve() {
	local count=$1 nr=/proc/sys/vm/nr_hugepages free available

	free=$(huge_pages_free)
	if ((free < count)); then
		available=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
		# As much again must stay for everybody else.
		if ((available > 4 * (count - free))); then
			echo $(($(cat $nr) + count - free)) 2>/dev/null >$nr || :
		fi
		free=$(huge_pages_free)
	fi
	if ((free < count)); then
		say "$count huge pages were asked for, $free are free: the data plane runs without (--no-huge)"
		return 1
	fi
	if ! grep -q ' hugetlbfs ' /proc/mounts; then
		mkdir -p /dev/hugepages
		mount -t hugetlbfs hugetlbfs /dev/hugepages || {
			say "hugetlbfs cannot be mounted: the data plane runs without huge pages (--no-huge)"
			return 1
		}
	fi
}
