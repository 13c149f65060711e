/* SPDX-License-Identifier: ISC */
/*
 * The power-cut rig's program: record a run, check its images, make a body.
 */
#include "crash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: crash record [-t TYPE] DIR COMMAND [ARG]...\n"
    "       crash check [-t TYPE] [-j WORKERS] [-n IMAGES] [-s SEED] [-m MOST]\n"
    "                   [-i EPOCH.K [-k DIR]] [-l] [-p SPOOL] DIR\n"
    "       crash body KEY LENGTH\n"
    "DIR has a file system's image, base; record adds log.  -l lists images, -i\n"
    "checks one alone, -k keeps it as a DIR to record from.\n";

static int
usage(void)
{
	(void)fputs(usage_text, stderr);
	return 64;
}

static int
main_record(int argc, char **argv)
{
	struct record_setup s = { .type = "ext4" };
	int opt;

	while ((opt = getopt(argc, argv, "+t:")) != -1) {
		if (opt != 't')
			return usage();
		s.type = optarg;
	}
	if (argc - optind < 2)
		return usage();
	s.dir = argv[optind];
	s.command = argv + optind + 1;
	return record(&s);
}

static bool
check_option(struct check_setup *s, int opt, char *arg)
{
	switch (opt) {
	case 't':
		s->type = arg;
		return true;
	case 'j':
		s->workers = (unsigned)strtoul(arg, NULL, 10);
		return s->workers > 0;
	case 'n':
		s->images = strtoull(arg, NULL, 10);
		return true;
	case 's':
		s->seed = strtoull(arg, NULL, 10);
		return true;
	case 'm':
		s->most = (unsigned)strtoul(arg, NULL, 10);
		return s->most > 0;
	case 'i':
		s->only = arg;
		return true;
	case 'k':
		s->keep = arg;
		return true;
	case 'l':
		s->list = true;
		return true;
	case 'p':
		s->spool = arg;
		return true;
	default:
		return false;
	}
}

static int
main_check(int argc, char **argv)
{
	struct check_setup s = { .type = "ext4", .spool = "spool", .workers = 8, .most = 10 };
	int opt;

	if (getrandom(&s.seed, sizeof s.seed, 0) != sizeof s.seed)
		return 71;
	s.seed >>= 32; /* short enough to be typed */
	while ((opt = getopt(argc, argv, "t:j:n:s:m:i:k:lp:")) != -1)
		if (!check_option(&s, opt, optarg))
			return usage();
	if (argc - optind != 1)
		return usage();
	s.dir = argv[optind];
	return check(&s);
}

int
main(int argc, char **argv)
{
	/* At once: no child, as a leak checker is, can begin in a process namespace that has ended. */
	if (argc >= 2 && strcmp(argv[1], "record") == 0)
		_exit(main_record(argc - 1, argv + 1));
	if (argc >= 2 && strcmp(argv[1], "check") == 0)
		return main_check(argc - 1, argv + 1);
	if (argc == 4 && strcmp(argv[1], "body") == 0) {
		text_write(argv[2], strtoull(argv[3], NULL, 10), stdout);
		return fflush(stdout) == 0 ? 0 : 74;
	}
	return usage();
}
