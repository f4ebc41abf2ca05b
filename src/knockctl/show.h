/* Answers of knockd in words. Each takes all rows of the answer, prints them to standard output,
 * and sets *status when something is wrong with it. */
#ifndef KNOCKCTL_SHOW_H
#define KNOCKCTL_SHOW_H

#include "knockctl/client.h"

typedef void show_function(struct reply *reply, int *status);

show_function show_json;
show_function show_doors;
show_function show_history;
show_function show_open;
show_function show_close;
show_function show_strays;
show_function show_forget;
show_function show_reload;
show_function show_status;
show_function show_sources;
show_function show_watch;
show_function show_why;

/* A row of `sources`, or of what belongs to it. */
void show_source_row(const struct row_fields *row);
show_function show_prometheus;

#endif
