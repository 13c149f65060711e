/* SPDX-License-Identifier: ISC */
/*
 * The engine: one loop, and the order of a turn.
 *
 * Callers' bytes are read and gathered, then one commit makes everything
 * durable, then replies leave and consumers are sent what is new.  A reply
 * before the commit would promise what a power cut could still take.
 */
#include "engine.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "audit_topic.h"
#include "base/fd.h"
#include "request.h"

#define ACCEPT_BATCH 64
#define ACCEPT_PAUSE_MS 100	/* without descriptors: let some be closed first */
#define CHECKPOINT_MS 1000	/* until files that may go are gone */
#define REST_MS 2000		/* without work: memory goes back */

struct engine {
	struct session_host host;
	struct work *work;
	struct loop_source signals, worker, listener;
	struct loop_timer idle, rest, checkpoint, accept_again, watchdog;
	struct engine_setup setup;
	struct audit_topic *audit;
	const struct engine_service *service;
	bool worked;		/* since the rest timer was set: an idle engine sleeps */
	bool said_sick;
};

/* --- accepting ---------------------------------------------------------- */

static void
accepted(struct engine *e, int fd)
{
	if (e->host.count < LIMIT_CONNECTIONS) {
		session_begin(&e->host, fd);
		return;
	}
	fd_close(&fd);
	audit(e->host.audit, &(struct audit_event){ .event = "session", .action = "begin",
		.result = err_word(MESS_LIMIT) });
}

static void
accept_ready(void *arg, uint32_t events)
{
	struct engine *e = arg;
	int fd;

	(void)events;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		if ((fd = accept4(e->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) != -1) {
			accepted(e, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* It would be reported again at once, for ever. */
			ERR_IGNORE(loop_change(e->host.loop, &e->listener, 0));
			loop_timer_set(e->host.loop, &e->accept_again, ACCEPT_PAUSE_MS);
		}
		return;
	}
}

static void
accept_again(void *arg)
{
	struct engine *e = arg;

	ERR_IGNORE(loop_change(e->host.loop, &e->listener, EPOLLIN)); /* it was watched before */
}

/* --- a turn ------------------------------------------------------------- */

static void
commit(struct engine *e)
{
	struct session *s;
	enum mess_err err;

	audit_topic_write(e->audit, false);
	err = store_commit(e->host.store);
	if (store_is_sick(e->host.store)) {
		err = MESS_SICK;
		if (!e->said_sick)
			audit(e->host.audit, &(struct audit_event){ .event = "engine", .action = "sick" });
		if (!e->said_sick)
			store_say(e->host.store, "a write or sync failed: publishes and acks are refused "
			    "until a restart; what was durable is still delivered");
		e->said_sick = true;
	}
	TAILQ_FOREACH(s, &e->host.touched, touched_link)
		session_committed(s, err);
}

static void
flush(struct engine *e)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&e->host.touched)) != NULL) {
		TAILQ_REMOVE(&e->host.touched, s, touched_link);
		s->is_touched = false;
		if (session_flush(s))
			session_free(s);
	}
}

static void
set_timers(struct engine *e)
{
	if (e->worked && !e->rest.set)
		loop_timer_set(e->host.loop, &e->rest, REST_MS);
	if (journal_has_after(store_journal(e->host.store)) && !e->checkpoint.set)
		loop_timer_set(e->host.loop, &e->checkpoint, CHECKPOINT_MS);
	if (e->setup.idle_exit == 0 || e->host.count > 0)
		loop_timer_clear(e->host.loop, &e->idle);
	else if (!e->idle.set)
		loop_timer_set(e->host.loop, &e->idle, (uint64_t)e->setup.idle_exit * 1000);
}

static bool
turn(void *arg)
{
	struct engine *e = arg;
	bool more;

	if (intake_is_due(e->host.intake)) {
		ERR_IGNORE(intake_run(e->host.intake)); /* a sick spool is said by commit */
		e->worked = true;
	}
	turns_run(&e->host.turns);
	e->worked |= !TAILQ_EMPTY(&e->host.touched);
	commit(e);
	more = delivery_run(e->host.delivery, turns_share_us(&e->host.turns));
	flush(e);
	/* A socket that had room again woke its consumer; requests wait for room, or their turn. */
	more |= delivery_has_work(e->host.delivery) || turns_wait(&e->host.turns);
	set_timers(e);
	/* Delivery may have settled damage, a closed session given messages back. */
	return more || !store_is_clean(e->host.store);
}

/* --- timers ------------------------------------------------------------- */

static void
checkpoint(void *arg)
{
	struct engine *e = arg;

	ERR_IGNORE(journal_checkpoint(store_journal(e->host.store))); /* sick is said by commit */
}

static void
rest(void *arg)
{
	struct engine *e = arg;

	if (e->worked) {
		e->worked = false;
		loop_timer_set(e->host.loop, &e->rest, REST_MS);
		return;
	}
	delivery_rest(e->host.delivery);
	topics_rest(e->host.topics);
	(void)madvise(e->host.read_mem, SESSION_READ_LEN, MADV_DONTNEED); /* only memory is at stake */
	(void)malloc_trim(0); /* likewise */
}

static void
idle(void *arg)
{
	struct engine *e = arg;

	/* Somebody may be connecting at this moment. */
	accept_ready(e, EPOLLIN);
	if (e->host.count > 0)
		return;
	e->service->leaving(e->service->arg);
	loop_stop(e->host.loop);
}

static void
watchdog(void *arg)
{
	struct engine *e = arg;

	e->service->watchdog(e->service->arg);
	loop_timer_set(e->host.loop, &e->watchdog, e->service->watchdog_ms);
}

/* --- descriptors -------------------------------------------------------- */

static void
signal_ready(void *arg, uint32_t events)
{
	struct signalfd_siginfo info;
	struct engine *e = arg;

	(void)events;
	while (read(e->signals.fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo != SIGHUP)
			loop_stop(e->host.loop);
		else if (e->setup.reload != NULL)
			e->setup.reload(e->setup.arg);
	}
}

static void
worker_ready(void *arg, uint32_t events)
{
	struct engine *e = arg;

	(void)events;
	work_collect(e->work);
}

static enum mess_err
add_source(struct engine *e, struct loop_source *s, int fd, void (*ready)(void *, uint32_t))
{
	*s = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = ready, .arg = e };
	return loop_add(e->host.loop, s);
}

void
engine_audit(struct engine *e, const struct audit_event *event)
{
	audit(e->host.audit, event);
}

/* What the store says of mess.audit itself would be said of saying it. */
static void
say(void *arg, const char *line)
{
	struct engine *e = arg;

	if (e->setup.report.fn != NULL)
		e->setup.report.fn(e->setup.report.arg, line);
	if (line == NULL || strncmp(line, AUDIT_TOPIC ":", strlen(AUDIT_TOPIC ":")) == 0)
		return;
	audit(e->host.audit, &(struct audit_event){ .event = "spool", .action = "report", .detail = line,
		.said = true });
}

void
engine_set_rules(struct engine *e, const struct conf *site)
{
	auth_forget();
	e->host.acl.site = site;
	request_rules_changed(&e->host);
}

/* --- beginning and end -------------------------------------------------- */

static void
has_room(void *arg, struct topic *t)
{
	struct engine *e = arg;

	intake_wake(e->host.intake, t);
}

static void
has_less(void *arg, struct topic *t)
{
	struct engine *e = arg;

	if (e->host.quota != NULL)
		quota_changed(e->host.quota, t);
}

static void
has_lost(void *arg, struct topic *t)
{
	struct engine *e = arg;

	delivery_topic_changed(e->host.delivery, t);
}

static bool
yields(void *arg, const struct subscription *s)
{
	struct engine *e = arg;

	return e->host.quota != NULL && quota_yields(e->host.quota, s);
}

static void
yielded(void *arg, const struct subscription *s, const char *limit)
{
	struct engine *e = arg;

	audit(e->host.audit, &(struct audit_event){ .event = "subscription", .action = "drop",
		.object = s->topic->name, .sub = s->name, .result = "ok", .rule = limit, .change = true });
}

static enum mess_err
open_retention(struct engine *e)
{
	struct retention_setup setup = { .loop = e->host.loop, .topics = e->host.topics,
		.max_bytes = e->host.acl.personal ? 0 : LIMIT_TOPIC_BYTES_SYSTEM,
		.room = has_room, .less = has_less, .lost = has_lost,
		.yields = yields, .yielded = yielded, .arg = e };

	return retention_new(&setup, &e->host.retention);
}

/* A personal spool has one user, and no audit. */
static enum mess_err
open_audit(struct engine *e)
{
	struct audit_topic_setup setup = { .audit = e->host.audit, .topics = e->host.topics,
		.loop = e->host.loop, .owner = e->host.acl.owner };

	return e->host.audit == NULL ? MESS_OK : audit_topic_new(&setup, &e->audit);
}

static enum mess_err
have_audit(struct engine *e)
{
	struct audit_setup setup = { .owner = e->host.acl.owner, .now = loop_now,
		.say = e->setup.audit.fn, .arg = e->setup.audit.arg };

	return e->host.acl.personal ? MESS_OK : audit_new(&setup, &e->host.audit);
}

static enum mess_err
open_components(struct engine *e)
{
	struct store_report report = { .fn = say, .arg = e };
	struct journal_target find = { .open = topic_open_target, .arg = &e->setup.spool };
	struct session_host *h = &e->host;
	enum mess_err err;

	h->read_mem = mmap(NULL, SESSION_READ_LEN, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h->read_mem == MAP_FAILED) {
		h->read_mem = NULL;
		return MESS_LIMIT;
	}
	if ((err = limits_new(&h->acl, &h->limits)) != MESS_OK ||
	    (err = have_audit(e)) != MESS_OK ||
	    (err = store_open(e->setup.spool, e->work, &report, &find, &h->store)) != MESS_OK ||
	    (err = topics_new(h->store, &h->topics)) != MESS_OK ||
	    (err = delivery_new(h->topics, h->loop, &h->delivery)) != MESS_OK ||
	    (!h->acl.personal && (err = quota_new(h->limits, h->topics, h->loop, &h->quota)) != MESS_OK) ||
	    (err = open_retention(e)) != MESS_OK ||
	    (err = open_audit(e)) != MESS_OK ||
	    (err = intake_new(h->topics, h->loop, h->acl.owner, h->body_max, &h->intake)) != MESS_OK)
		return err;
	return intake_run(h->intake);
}

static enum mess_err
open_sources(struct engine *e)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	enum mess_err err;
	int fd;

	if ((err = loop_new(&e->host.loop)) != MESS_OK || (err = work_new(&e->work)) != MESS_OK)
		return err;
	if ((err = loop_signals(signals, sizeof signals / sizeof signals[0], &fd)) != MESS_OK)
		return err;
	if ((err = add_source(e, &e->signals, fd, signal_ready)) != MESS_OK)
		return err;
	return add_source(e, &e->worker, work_fd(e->work), worker_ready);
}

enum mess_err
engine_new(const struct engine_setup *setup, struct engine **out)
{
	struct engine *e = calloc(1, sizeof *e);
	enum mess_err err;

	if (e == NULL)
		return MESS_LIMIT;
	e->setup = *setup;
	e->signals.fd = e->worker.fd = e->listener.fd = -1;
	e->host.handler = &request_handler;
	e->host.acl = setup->acl;
	e->host.security = setup->security;
	minfree_init(&e->host.minfree, setup->spool);
	e->host.body_max = setup->acl.personal ? LIMIT_BODY_PERSONAL : LIMIT_BODY_SYSTEM;
	TAILQ_INIT(&e->host.sessions);
	TAILQ_INIT(&e->host.touched);
	turns_init(&e->host.turns, loop_now_us);
	e->idle = (struct loop_timer){ .fire = idle, .arg = e };
	e->rest = (struct loop_timer){ .fire = rest, .arg = e };
	e->checkpoint = (struct loop_timer){ .fire = checkpoint, .arg = e };
	e->accept_again = (struct loop_timer){ .fire = accept_again, .arg = e };
	e->watchdog = (struct loop_timer){ .fire = watchdog, .arg = e };
	/* Signals first: a stop that comes while new/ is taken in is a stop, not a death. */
	if ((err = open_sources(e)) != MESS_OK || (err = open_components(e)) != MESS_OK) {
		engine_free(e);
		return err;
	}
	*out = e;
	return MESS_OK;
}

enum mess_err
engine_serve(struct engine *e, const struct engine_service *service)
{
	enum mess_err err;

	e->service = service;
	if ((err = add_source(e, &e->listener, service->listener, accept_ready)) != MESS_OK)
		return err;
	if (service->watchdog_ms > 0)
		loop_timer_set(e->host.loop, &e->watchdog, service->watchdog_ms);
	set_timers(e);
	return loop_run(e->host.loop, turn, e);
}

/* What was read is committed and answered; then everybody is let go. */
static void
finish_sessions(struct engine *e)
{
	struct session *s;

	if (e->host.delivery != NULL && e->host.intake != NULL) {
		commit(e);
		flush(e); /* what waited for room was not answered, so promised nothing */
	}
	while ((s = TAILQ_FIRST(&e->host.sessions)) != NULL)
		session_free(s);
	if (e->service != NULL)
		audit(e->host.audit, &(struct audit_event){ .event = "engine", .action = "stop", .result = "ok" });
	if (e->audit != NULL) {
		audit_tell(e->host.audit, true);
		audit_topic_write(e->audit, true);
	}
	/* What they held goes out again, counted as a try, also after a restart. */
	if (e->host.store != NULL)
		ERR_IGNORE(store_commit(e->host.store)); /* the next start counts them as well */
}

void
engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	finish_sessions(e);
	/* Files that may go do so now: nobody else will look for a while. */
	if (e->host.store != NULL)
		journal_drain(store_journal(e->host.store));
	audit_topic_free(e->audit);
	intake_free(e->host.intake);
	retention_free(e->host.retention);
	quota_free(e->host.quota);
	delivery_free(e->host.delivery);
	topics_free(e->host.topics);
	store_close(e->host.store);
	audit_free(e->host.audit);
	work_free(e->work);
	fd_close(&e->signals.fd);
	loop_free(e->host.loop);
	limits_free(e->host.limits);
	if (e->host.read_mem != NULL)
		(void)munmap(e->host.read_mem, SESSION_READ_LEN); /* mapped by us */
	free(e);
}
