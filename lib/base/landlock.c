/* SPDX-License-Identifier: ISC */
/*
 * Landlock.
 *
 * Every right that the running kernel can withhold is withheld; what a rule
 * gives is only what its use needs.  The C library has no functions for it,
 * and the header that mess is built with may be older than the kernel that
 * it runs on: what came later is defined here.
 */
#include "landlock.h"

#include <linux/landlock.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"

#define RIGHT_WRITE_FILE	(UINT64_C(1) << 1)
#define RIGHT_READ_FILE		(UINT64_C(1) << 2)
#define RIGHT_READ_DIR		(UINT64_C(1) << 3)
#define RIGHT_REMOVE_DIR	(UINT64_C(1) << 4)
#define RIGHT_REMOVE_FILE	(UINT64_C(1) << 5)
#define RIGHT_MAKE_DIR		(UINT64_C(1) << 7)
#define RIGHT_MAKE_REG		(UINT64_C(1) << 8)
#define RIGHT_MAKE_SOCK		(UINT64_C(1) << 9)
#define RIGHT_MAKE_FIFO		(UINT64_C(1) << 10)
#define RIGHT_MAKE_SYM		(UINT64_C(1) << 12)
#define RIGHTS_ABI_1		((UINT64_C(1) << 13) - 1)
#define RIGHT_REFER		(UINT64_C(1) << 13)	/* ABI 2: rename into another directory */
#define RIGHT_TRUNCATE		(UINT64_C(1) << 14)	/* ABI 3 */
#define RIGHT_IOCTL_DEV		(UINT64_C(1) << 15)	/* ABI 5 */
#define RIGHT_RESOLVE_UNIX	(UINT64_C(1) << 16)	/* ABI 9: connect to a socket by its path */

#define NET_TCP			UINT64_C(3)		/* ABI 4: bind, connect */
#define SCOPES			UINT64_C(3)		/* ABI 6: abstract sockets, signals */

#define ABI_KNOWN 9

/* struct landlock_ruleset_attr as of ABI 6; older kernels take a shorter one. */
struct ruleset {
	uint64_t files;
	uint64_t net;
	uint64_t scopes;
};

int
landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : abi > ABI_KNOWN ? ABI_KNOWN : (int)abi;
}

static uint64_t
rights_of(int abi)
{
	uint64_t rights = RIGHTS_ABI_1;

	if (abi >= 2)
		rights |= RIGHT_REFER;
	if (abi >= 3)
		rights |= RIGHT_TRUNCATE;
	if (abi >= 5)
		rights |= RIGHT_IOCTL_DEV;
	if (abi >= 9)
		rights |= RIGHT_RESOLVE_UNIX;
	return rights;
}

static size_t
ruleset_size(int abi)
{
	return (abi >= 6 ? 3 : abi >= 4 ? 2 : 1) * sizeof(uint64_t);
}

/*
 * Who may rename a file into a directory must hold the right to make one of
 * its kind there: what others moved into new/, be it a FIFO, is set aside.
 * Devices are not: only root can have made one.
 */
static uint64_t
rights_for(unsigned use)
{
	uint64_t rights = 0;

	if ((use & (LANDLOCK_USE_READ | LANDLOCK_USE_WORK)) != 0)
		rights |= RIGHT_READ_FILE | RIGHT_READ_DIR;
	if ((use & LANDLOCK_USE_WORK) != 0)
		rights |= RIGHT_WRITE_FILE | RIGHT_TRUNCATE | RIGHT_REMOVE_DIR | RIGHT_REMOVE_FILE |
		    RIGHT_MAKE_DIR | RIGHT_MAKE_REG | RIGHT_MAKE_SOCK | RIGHT_MAKE_FIFO |
		    RIGHT_MAKE_SYM | RIGHT_REFER;
	if ((use & LANDLOCK_USE_REMOVE) != 0)
		rights |= RIGHT_REMOVE_FILE;
	if ((use & LANDLOCK_USE_CONNECT) != 0)
		rights |= RIGHT_RESOLVE_UNIX;
	return rights;
}

static bool
add_rule(int ruleset, int dir, uint64_t rights)
{
	struct landlock_path_beneath_attr attr = { .allowed_access = rights, .parent_fd = dir };

	/* A rule that gives nothing is refused: this kernel cannot withhold it either. */
	return rights == 0 ||
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) == 0;
}

enum mess_err
landlock_restrict(int abi, const struct landlock_rule *rules, size_t count)
{
	struct ruleset set = { .files = rights_of(abi), .net = NET_TCP, .scopes = SCOPES };
	AUTO_FD int fd = (int)syscall(SYS_landlock_create_ruleset, &set, ruleset_size(abi), 0);

	if (fd == -1)
		return err_from_errno();
	for (size_t i = 0; i < count; i++)
		if (!add_rule(fd, rules[i].dir, rights_for(rules[i].use) & set.files))
			return err_from_errno();
	return syscall(SYS_landlock_restrict_self, fd, 0) == 0 ? MESS_OK : err_from_errno();
}
