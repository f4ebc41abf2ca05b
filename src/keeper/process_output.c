/* Runs a program and keeps what it writes in a file without a name: it never waits for its reader.
 */
#include "keeper/process_output.h"

#include <fcntl.h>
#include <unistd.h>

#include "keeper/process.h"

FILE *process_output_of(const struct command *command, int input, bool errors, int64_t deadline,
                        int *status)
{
    FILE *file = tmpfile();
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pid_t pid = -1;
    *status = -1;
    if (file && null >= 0) {
        struct process_world world = {.output = fileno(file),
                                      .errors = errors ? fileno(file) : null,
                                      .input = input < 0 ? 0 : input,
                                      .lock = -1};
        pid = process_start(command, &world);
    }
    if (pid > 0)
        *status = process_wait(pid, deadline);
    if (null >= 0)
        close(null);
    if (file && pid <= 0) {
        fclose(file);
        return NULL;
    }
    if (file)
        rewind(file);
    return file;
}

FILE *process_output(const struct command *command, bool errors, int64_t deadline, int *status)
{
    return process_output_of(command, -1, errors, deadline, status);
}
