/* SPDX-License-Identifier: ISC */
/*
 * The sandbox of the engine.
 */
#include "deliverd-confine.h"

#include <fcntl.h>
#include <libgen.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "base/fd.h"
#include "base/sandbox.h"
#include "base/sock.h"
#include "cli.h"

/* Editors replace a file: its directory is what the next one is found in. */
static int
open_conf_dir(const char *conf_file)
{
	AUTO_FREE char *real = conf_file == NULL ? NULL : realpath(conf_file, NULL);

	return real == NULL ? -1 : open(dirname(real), O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool
refuse_rights(int listener)
{
	AUTO_FD int probe = -1;

	if (listener == -1)
		listener = probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return listener != -1 && sock_refuse_rights(listener);
}

static int
enter(const struct confine_setup *c, struct sandbox_state *state)
{
	AUTO_FD int conf_dir = open_conf_dir(c->conf_file);
	struct sandbox_allow allow = { .work = c->spool, .names = c->socket_dir, .read = conf_dir };

	/* Whatever the reason is, it is the system's. */
	if (sandbox_enter(&allow, state) != MESS_OK)
		return cli_fail_errno(EX_OSERR,
		    "sandbox: %s (say `sandbox no' in mess.conf to go without)", state->failed);
	return EX_OK;
}

int
confine_enter(const struct confine_setup *c, struct buf *out)
{
	bool refused = refuse_rights(c->listener);
	struct sandbox_state state;
	enum mess_err err;
	int status;

	sandbox_none(&state, "the configuration says `sandbox no'");
	if (c->wanted && (status = enter(c, &state)) != EX_OK)
		return status;
	state.lacks[SANDBOX_NO_PASSRIGHTS] = refused ? NULL : "this kernel is too old";
	if ((err = buf_printf(out, "uid %u\n", geteuid())) != MESS_OK ||
	    (err = sandbox_write(&state, out)) != MESS_OK || (err = buf_append(out, "", 1)) != MESS_OK)
		return cli_fail(err, "sandbox");
	return EX_OK;
}
