/* SPDX-License-Identifier: ISC */
/*
 * mess-topic stat --prometheus: the text exposition format, version 0.0.4.
 * Base units, counters that end in _total, each metric's samples together.
 */
#include <stdio.h>
#include <string.h>

#include "topic-stat.h"

enum unit {
	AS_IT_IS,
	MICROSECONDS,	/* the engine's; ours are seconds */
	SINCE,		/* a time; ours is its age */
	LIMIT,		/* 0 is none, and then there is no sample */
	PAUSED_IN,	/* no, in, out, both: 1 or 0 */
	PAUSED_OUT,
};

struct metric {
	const char *name, *type, *key;
	enum unit unit;
	const char *help;
};

static const struct metric topic_metrics[] = {
	{ "published_total", "counter", "published", AS_IT_IS, "Messages ever taken in." },
	{ "present", "gauge", "present", AS_IT_IS, "Messages that are kept." },
	{ "bytes", "gauge", "bytes", AS_IT_IS, "Bytes on disk of the files that hold them." },
	{ "depth", "gauge", "depth", AS_IT_IS, "Messages that the slowest subscription has not settled." },
	{ "oldest_age_seconds", "gauge", "oldest", SINCE, "Age of the oldest message that is not settled." },
	{ "dead", "gauge", "dead", AS_IT_IS, "Dead letters that wait." },
	{ "settled_total", "counter", "settled", AS_IT_IS, "Messages freed because all had settled them." },
	{ "expired_total", "counter", "expired", AS_IT_IS, "Messages freed because of their age." },
	{ "purged_total", "counter", "purged", AS_IT_IS, "Messages freed by purge." },
	{ "dropped_total", "counter", "dropped", AS_IT_IS, "Messages freed to make room." },
	{ "damaged_total", "counter", "damaged", AS_IT_IS, "Messages lost to damage." },
	{ "refused_total", "counter", "refused", AS_IT_IS, "Messages refused." },
	{ "duplicates_total", "counter", "duplicates", AS_IT_IS, "Messages that were published before." },
	{ "commit_p50_seconds", "gauge", "commit-p50-us", MICROSECONDS, "Median time of a commit." },
	{ "commit_p99_seconds", "gauge", "commit-p99-us", MICROSECONDS, "Time that 99 of 100 commits are within." },
	{ "paused_in", "gauge", "paused", PAUSED_IN, "1 while publishing is paused." },
	{ "paused_out", "gauge", "paused", PAUSED_OUT, "1 while delivery is paused." },
	{ "max_bytes", "gauge", "max-bytes", LIMIT, "Limit of bytes, where there is one." },
	{ "max_messages", "gauge", "max-messages", LIMIT, "Limit of messages, where there is one." },
};

static const struct metric sub_metrics[] = {
	{ "pending", "gauge", "pending", AS_IT_IS, "Messages that are not settled." },
	{ "leased", "gauge", "leased", AS_IT_IS, "Messages that are handed out." },
	{ "delayed", "gauge", "delayed", AS_IT_IS, "Messages that are not due yet." },
	{ "acked_total", "counter", "acked", AS_IT_IS, "Messages acknowledged." },
	{ "dead_total", "counter", "dead", AS_IT_IS, "Messages given up." },
	{ "expired_total", "counter", "expired", AS_IT_IS, "Messages that expired unsettled." },
	{ "purged_total", "counter", "purged", AS_IT_IS, "Messages purged unsettled." },
	{ "dropped_total", "counter", "dropped", AS_IT_IS, "Messages dropped unsettled." },
	{ "damaged_total", "counter", "damaged", AS_IT_IS, "Messages lost to damage unsettled." },
	{ "skipped_total", "counter", "skipped", AS_IT_IS, "Messages that it is not for." },
	{ "redelivered_total", "counter", "redelivered", AS_IT_IS, "Messages handed out once more." },
	{ "consumers", "gauge", "consumers", AS_IT_IS, "Connections that take from it now." },
	{ "full", "gauge", "full", AS_IT_IS, "1 while its place has no room." },
};

#define COUNT(table) (sizeof (table) / sizeof (table)[0])

/* `name="value"` with \ " and newline escaped. */
static void
label(const char *name, const char *value)
{
	printf("%s=\"", name);
	for (; *value != '\0'; value++)
		if (*value == '\n')
			fputs("\\n", stdout);
		else if (*value == '\\' || *value == '"')
			printf("\\%c", *value);
		else
			putchar(*value);
	putchar('"');
}

static bool
is_paused(const char *value, const char *way)
{
	return strcmp(value, way) == 0 || strcmp(value, "both") == 0;
}

/* False where there is nothing to say. */
static bool
has_value(const struct metric *metric, const struct counts *c)
{
	if (counts_get(c, metric->key) == NULL)
		return false;
	return metric->unit != LIMIT || counts_number(c, metric->key) > 0;
}

static void
value(const struct metric *metric, const struct counts *c, double when)
{
	switch (metric->unit) {
	case MICROSECONDS:
		printf(" %.6f\n", (double)counts_number(c, metric->key) / 1e6);
		return;
	case SINCE:
		printf(" %.3f\n", counts_age(c, metric->key, when));
		return;
	case PAUSED_IN:
	case PAUSED_OUT:
		printf(" %d\n", is_paused(counts_get(c, metric->key),
		    metric->unit == PAUSED_IN ? "in" : "out"));
		return;
	case AS_IT_IS:
	case LIMIT:
		printf(" %llu\n", (unsigned long long)counts_number(c, metric->key));
		return;
	}
}

/* Two users may have a subscription of one name: whose it is tells them apart. */
static void
sub_labels(const struct counts_topic *t, const struct counts *sub)
{
	const char *owner = counts_get(sub, "owner");
	const char *login = owner != NULL ? strchr(owner, ' ') : NULL;

	label("topic", t->own.name);
	putchar(',');
	label("subscription", sub->name);
	putchar(',');
	label("owner", login != NULL ? login + 1 : "");
}

static void
head(const char *kind, const struct metric *metric)
{
	printf("# HELP mess_%s_%s %s\n# TYPE mess_%s_%s %s\n", kind, metric->name, metric->help, kind,
	    metric->name, metric->type);
}

static void
topic_metric(const struct counts_all *all, const struct metric *metric)
{
	bool begun = false;

	for (size_t i = 0; i < all->count; i++) {
		if (!has_value(metric, &all->topics[i].own))
			continue;
		if (!begun)
			head("topic", metric);
		begun = true;
		printf("mess_topic_%s{", metric->name);
		label("topic", all->topics[i].own.name);
		putchar('}');
		value(metric, &all->topics[i].own, all->when);
	}
}

static void
sub_metric(const struct counts_all *all, const struct metric *metric)
{
	bool begun = false;

	for (size_t i = 0; i < all->count; i++)
		for (size_t k = 0; k < all->topics[i].subs; k++) {
			const struct counts *sub = &all->topics[i].sub[k];

			if (!has_value(metric, sub))
				continue;
			if (!begun)
				head("subscription", metric);
			begun = true;
			printf("mess_subscription_%s{", metric->name);
			sub_labels(&all->topics[i], sub);
			putchar('}');
			value(metric, sub, all->when);
		}
}

void
stat_prometheus(const struct counts_all *all)
{
	for (size_t i = 0; i < COUNT(topic_metrics); i++)
		topic_metric(all, &topic_metrics[i]);
	for (size_t i = 0; i < COUNT(sub_metrics); i++)
		sub_metric(all, &sub_metrics[i]);
}
