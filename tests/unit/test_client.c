/* SPDX-License-Identifier: ISC */
/*
 * libmess against an engine that says just what a test wants: frames of
 * several topics that come before a reply which somebody waits for.
 */
#include "test.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "record.h"

#define COUNT 40	/* messages of each topic */
#define BODY 5000

static char dir[] = "/tmp/mess-test.XXXXXX", path[sizeof dir + 8];

static void
put_record(struct buf *b, uint64_t seq, size_t len)
{
	struct record r = { .seq = seq, .sec = 1, .uid = 1, .gid = 2, .pid = 3, .body_len = len };
	char *body = malloc(len + 1), line[RECORD_LINE_MAX];
	size_t n;

	memset(body, 'a' + (int)(seq % 26), len + 1);
	n = record_write_line(&r, record_payload_sum("", 0, body, len), line);
	body[len] = '\n';
	if (buf_append(b, line, n) != MESS_OK || buf_append(b, "\n", 1) != MESS_OK ||
	    buf_append(b, body, len + 1) != MESS_OK)
		abort();
	free(body);
}

static void
put_frame(struct buf *b, const char *topic, uint64_t first, uint64_t count, uint64_t attempt)
{
	struct buf records = BUF_INIT(1 << 20);

	for (uint64_t seq = first; seq < first + count; seq++)
		put_record(&records, seq, BODY);
	if (buf_printf(b, "MSG %s %llu %zu %llu\n", topic, (unsigned long long)count, buf_len(&records),
	    (unsigned long long)attempt) != MESS_OK ||
	    buf_append(b, buf_data(&records), buf_len(&records)) != MESS_OK)
		abort();
	buf_free(&records);
}

static void
say(struct buf *b, const char *line)
{
	if (buf_append(b, line, strlen(line)) != MESS_OK)
		abort();
}

/* HOLD is answered behind frames, and one more comes behind its reply. */
static void
answer(int fd, const char *line)
{
	struct buf b = BUF_INIT(4 << 20);

	if (strncmp(line, "HELLO", 5) == 0) {
		say(&b, "OK mess 1 personal 1048576\n");
	} else if (strncmp(line, "SUB", 3) == 0) {
		say(&b, "OK 1\n");
	} else if (strncmp(line, "TAKE", 4) == 0) {
		say(&b, "OK\n");
		put_frame(&b, "one", 1, 3, 1);
	} else if (strncmp(line, "HOLD", 4) == 0) {
		for (uint64_t i = 0; i < COUNT; i += 4) {
			put_frame(&b, "one", 4 + i, 4, 1);
			put_frame(&b, "two.x", 1 + i, 4, 2 + i / 4);
		}
		say(&b, "OK 0123456789abcdef\n");
		put_frame(&b, "one", 4 + COUNT, 1, 7);
		say(&b, "END\n");
	} else {
		say(&b, "OK\n");
	}
	if (fd_write_all(fd, buf_data(&b), buf_len(&b)) == -1)
		_exit(1);
	buf_free(&b);
}

static void
serve(int listener)
{
	int fd = accept(listener, NULL, NULL);
	FILE *in = fdopen(fd, "r");
	char line[4096];

	while (in != NULL && fgets(line, sizeof line, in) != NULL)
		answer(fd, line);
	_exit(0);
}

static pid_t
start_engine(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	(void)snprintf(path, sizeof path, "%s/sock", dir);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sun, sizeof sun) == -1 || listen(fd, 5) == -1)
		return -1;
	if ((pid = fork()) == 0)
		serve(fd);
	CHECK(close(fd) == 0);
	return pid;
}

/* The next message is this one, whole. */
static bool
next_is(struct mess *m, const char *topic, uint64_t seq, uint64_t attempt)
{
	struct mess_received msg;
	enum mess_event event;

	if (mess_next(m, 5000, &event, &msg) != MESS_OK || event != MESS_EVENT_MESSAGE)
		return false;
	return strcmp(msg.topic, topic) == 0 && msg.seq == seq && msg.attempt == attempt &&
	    msg.body_len == BODY && msg.body[0] == 'a' + (int)(seq % 26) &&
	    msg.body[BODY - 1] == msg.body[0];
}

TEST("frames that come before a reply keep their topic, their attempt and their order")
{
	struct mess_where where = { .socket = path };
	char token[MESS_TOKEN_LEN + 1] = "";
	struct mess_received msg;
	enum mess_event event = MESS_EVENT_NONE;
	struct mess *m = NULL;
	bool right = true;
	pid_t engine;

	CHECK(mkdtemp(dir) != NULL);
	CHECK((engine = start_engine()) > 0);
	CHECK(mess_open(&where, &m) == MESS_OK);
	CHECK(mess_subscribe(m, "one", "default", NULL) == MESS_OK);
	CHECK(mess_subscribe(m, "two.*", "default", NULL) == MESS_OK);
	CHECK(mess_take(m, 1000, true) == MESS_OK);
	CHECK(next_is(m, "one", 1, 1));

	/* Two of the first frame are not read yet, and may have arrived or not. */
	CHECK(mess_hold(m, "one", 1, 1000, token) == MESS_OK);
	CHECK(strcmp(token, "0123456789abcdef") == 0);

	right &= next_is(m, "one", 2, 1) && next_is(m, "one", 3, 1);
	for (uint64_t i = 0; i < COUNT && right; i += 4) {
		for (uint64_t k = 0; k < 4; k++)
			right &= next_is(m, "one", 4 + i + k, 1);
		for (uint64_t k = 0; k < 4; k++)
			right &= next_is(m, "two.x", 1 + i + k, 2 + i / 4);
	}
	CHECK(right);
	CHECK(next_is(m, "one", 4 + COUNT, 7));
	CHECK(mess_next(m, 5000, &event, &msg) == MESS_OK && event == MESS_EVENT_END);

	CHECK(mess_ack(m, "two.x", 1, COUNT) == MESS_OK && mess_ack(m, "one", 2, 4) == MESS_OK);
	CHECK(mess_retry(m, "one", 5, NULL) == MESS_OK);
	CHECK(mess_ack_wait(m) == MESS_OK);
	mess_close(m);
	CHECK(waitpid(engine, NULL, 0) == engine);
	CHECK(unlink(path) == 0 && rmdir(dir) == 0);
}

TEST("what is said of a failure is a line each")
{
	struct mess_where where = { .socket = path };
	struct mess_failure two_lines = { .reason = "a\nOther: b" }, control = { .output = "a\033b" };
	struct mess *m = NULL;
	pid_t engine;

	memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
	CHECK(mkdtemp(dir) != NULL);
	CHECK((engine = start_engine()) > 0);
	CHECK(mess_open(&where, &m) == MESS_OK);
	CHECK(mess_retry(m, "one", 1, NULL) == MESS_USAGE); /* before it consumes anything */
	CHECK(mess_subscribe(m, "one", "default", NULL) == MESS_OK);
	CHECK(mess_retry(m, "one", 1, &two_lines) == MESS_USAGE);
	CHECK(mess_dead(m, "one", 1, &control) == MESS_USAGE);
	CHECK(mess_nack(m, "one", 2, 1) == MESS_USAGE);
	CHECK(mess_peek(m, "one", "default") == MESS_USAGE);
	CHECK(mess_subscribe(m, "two", "default", &(struct mess_subscribe){ .from = "when" }) == MESS_USAGE);
	CHECK(mess_subscribe(m, "two", "default", &(struct mess_subscribe){ .match = "a=b\nFrom: 1" }) ==
	    MESS_USAGE);
	mess_close(m);
	CHECK(waitpid(engine, NULL, 0) == engine);
	CHECK(unlink(path) == 0 && rmdir(dir) == 0);
}
