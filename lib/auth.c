/* SPDX-License-Identifier: ISC */
/*
 * Who is calling.
 *
 * SO_PEERCRED and SO_PEERGROUPS tell what the caller was when it connected.
 * The databases are asked for names only: what a user would have now is no
 * answer to who a process is.
 */
#include "auth.h"

#include <bsd/string.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/loop.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

#define GROUPS_MAX 65536	/* NGROUPS_MAX of Linux */
#define LOOK_UP_MEM 16384
#define NAMES_KEPT 64		/* a power of two */
#define NAMES_KEPT_MS 60000

/* --- identity ----------------------------------------------------------- */

static int
by_gid(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return x < y ? -1 : x > y;
}

/* Takes an array with room for one more; unmapped groups are left out. */
static void
set_groups(struct principal *who, gid_t *groups, size_t count)
{
	size_t kept = 0;

	groups[count++] = who->peer.gid;
	for (size_t i = 0; i < count; i++)
		if (!auth_is_overflow(groups[i]))
			groups[kept++] = groups[i];
	qsort(groups, kept, sizeof *groups, by_gid);
	who->groups = groups;
	who->group_count = kept;
}

static enum mess_err
peer_groups(int fd, struct principal *who)
{
	socklen_t len = 32 * sizeof(gid_t);
	gid_t *groups = NULL, *more;

	for (;;) {
		if ((more = realloc(groups, len + sizeof *groups)) == NULL) {
			free(groups);
			return MESS_LIMIT;
		}
		groups = more;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
			break;
		/* The kernel tells the length that it needs. */
		if (errno != ERANGE || len > GROUPS_MAX * sizeof *groups) {
			free(groups);
			return MESS_SYSTEM;
		}
	}
	set_groups(who, groups, len / sizeof *groups);
	return MESS_OK;
}

enum mess_err
auth_identify(int fd, struct principal *out)
{
	struct principal who = { 0 };
	enum mess_err err;

	if ((err = sock_peer(fd, &who.peer)) != MESS_OK || (err = peer_groups(fd, &who)) != MESS_OK)
		return err;
	*out = who;
	return MESS_OK;
}

/* With room for one more; NULL without memory. */
static gid_t *
groups_of(const struct passwd *pw, int *count)
{
	gid_t *groups;

	for (int room = 64; room <= GROUPS_MAX; room *= 2) {
		*count = room;
		if ((groups = calloc((size_t)room + 1, sizeof *groups)) == NULL)
			return NULL;
		if (getgrouplist(pw->pw_name, pw->pw_gid, groups, count) != -1)
			return groups;
		free(groups);
	}
	return NULL;
}

bool
auth_look_up(const char *login, struct principal *out)
{
	struct principal who = { 0 };
	struct passwd pw, *found = NULL;
	char mem[LOOK_UP_MEM];
	gid_t *groups;
	int count;

	if (getpwnam_r(login, &pw, mem, sizeof mem, &found) != 0 || found == NULL)
		return false;
	who.peer = (struct mess_peer){ .uid = pw.pw_uid, .gid = pw.pw_gid };
	if ((groups = groups_of(&pw, &count)) == NULL)
		return false;
	set_groups(&who, groups, (size_t)count);
	*out = who;
	return true;
}

void
auth_free(struct principal *who)
{
	free(who->groups);
	who->groups = NULL;
	who->group_count = 0;
}

bool
auth_in_group(const struct principal *who, gid_t gid)
{
	return who->group_count > 0 &&
	    bsearch(&gid, who->groups, who->group_count, sizeof gid, by_gid) != NULL;
}

/* --- names -------------------------------------------------------------- */

struct kept {
	bool used;
	uint32_t id;
	uint64_t until;		/* by loop_now() */
	char name[AUTH_NAME_MAX + 1];
};
static struct kept users[NAMES_KEPT], groups_kept[NAMES_KEPT];

void
auth_forget(void)
{
	memset(users, 0, sizeof users);
	memset(groups_kept, 0, sizeof groups_kept);
}

/* A name that does not fit, or would break a line or a list, is none. */
static void
keep_name(struct kept *k, const char *name)
{
	if (name == NULL || strlcpy(k->name, name, sizeof k->name) >= sizeof k->name ||
	    strpbrk(k->name, " \t\r\n,=") != NULL || k->name[0] == '@')
		k->name[0] = '\0';
}

static void
look_up_user(struct kept *k)
{
	struct passwd pw, *found = NULL;
	char mem[LOOK_UP_MEM];

	keep_name(k, getpwuid_r(k->id, &pw, mem, sizeof mem, &found) == 0 && found != NULL ?
	    found->pw_name : NULL);
}

static void
look_up_group(struct kept *k)
{
	struct group gr, *found = NULL;
	char *mem = malloc(GROUPS_MAX);

	/* A group with more members than that has no name here: nobody is let in by it. */
	keep_name(k, mem != NULL && getgrgid_r(k->id, &gr, mem, GROUPS_MAX, &found) == 0 &&
	    found != NULL ? found->gr_name : NULL);
	free(mem);
}

static const char *
name_of(struct kept *table, uint32_t id, void (*look_up)(struct kept *))
{
	struct kept *k = &table[id & (NAMES_KEPT - 1)];
	uint64_t now = loop_now();

	if (!k->used || k->id != id || k->until <= now) {
		*k = (struct kept){ .used = true, .id = id, .until = now + NAMES_KEPT_MS };
		look_up(k);
	}
	return k->name;
}

const char *
auth_login(uid_t uid)
{
	return name_of(users, uid, look_up_user);
}

const char *
auth_group(gid_t gid)
{
	return name_of(groups_kept, gid, look_up_group);
}

bool
auth_find_user(const char *login, uid_t *out)
{
	struct passwd pw, *found = NULL;
	char mem[LOOK_UP_MEM];

	if (getpwnam_r(login, &pw, mem, sizeof mem, &found) != 0 || found == NULL)
		return false;
	*out = pw.pw_uid;
	return true;
}

bool
auth_find_group(const char *group, gid_t *out)
{
	struct group gr, *found = NULL;
	char *mem = malloc(GROUPS_MAX);
	bool ok;

	ok = mem != NULL && getgrnam_r(group, &gr, mem, GROUPS_MAX, &found) == 0 && found != NULL;
	if (ok)
		*out = gr.gr_gid;
	free(mem);
	return ok;
}
