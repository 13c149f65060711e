/* SPDX-License-Identifier: ISC */
/*
 * How much: every limit and default of the engine, once.  The manual pages
 * are tested against this table.
 */
#ifndef LIMIT_H
#define LIMIT_H

#define LIMIT_BODY_PERSONAL ((uint64_t)1024 * 1024 * 1024)
#define LIMIT_BODY_SYSTEM ((uint64_t)16 * 1024 * 1024)
#define LIMIT_TOPIC_BYTES_SYSTEM ((uint64_t)1024 * 1024 * 1024)	/* kept by a topic that says nothing */
#define LIMIT_CONNECTIONS 10000		/* in all */
#define LIMIT_CONNECTIONS_UID 256	/* of one uid, in a system spool */
#define LIMIT_CONNECTS_UID 1000		/* of one uid, a second */
#define LIMIT_SPOOL_BYTES_UID ((uint64_t)1024 * 1024 * 1024)	/* kept in topics of one uid */
#define LIMIT_FREE_PART 20		/* of a system spool's disk stays free, in parts, */
#define LIMIT_FREE_BYTES ((uint64_t)256 * 1024 * 1024)	/* or so much, */
#define LIMIT_FREE_INODES 1024		/* and so many; whichever is less */
#define LIMIT_TOPICS_UID 256		/* of one uid */
#define LIMIT_SUBSCRIPTIONS_UID 4096	/* one uid's own */
#define LIMIT_MEMORY_UID ((uint64_t)8 * 1024 * 1024)	/* of the engine's, for one uid */
#define LIMIT_SUBSCRIPTIONS 4096	/* of one topic */
#define LIMIT_PATTERNS 64		/* of one connection */
#define LIMIT_ATTEMPTS 10		/* tries until a message is dead, unless the topic says otherwise */
#define LIMIT_HOLD_MS ((uint64_t)30 * 24 * 3600 * 1000)	/* of a lease by time */
#define LIMIT_TOPICS_OPEN 512		/* with descriptors; more are closed when idle */
#define LIMIT_LIST_BYTES ((size_t)64 * 1024)	/* of one LIST or STAT reply */
#define LIMIT_OUTPUT_BYTES ((size_t)64 * 1024)	/* of replies not yet read by the caller */
#define LIMIT_TURN_REQUESTS 1024	/* of one caller, before the others and the commit */
#define LIMIT_SHARE_US ((uint64_t)200)	/* of one user, before the others and the commit */
#define LIMIT_SHARE_ALONE_US ((uint64_t)8000)	/* with no other user about */
#define LIMIT_HELLO_MS 5000		/* from connect to HELLO */
#define LIMIT_TOMBSTONE_SECONDS ((int64_t)30 * 24 * 3600)
#define LIMIT_AUDIT_SECONDS ((uint64_t)90 * 24 * 3600)	/* kept by mess.audit as it is made */
#define LIMIT_AUDIT_BYTES ((uint64_t)64 * 1024 * 1024)
#define LIMIT_RESCAN_MS ((uint64_t)10 * 60 * 1000)

#endif
