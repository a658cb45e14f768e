/* Forks workers from a pre-loaded R (preloaded.R), which loads this with dyn.load and calls it with .C.
 *
 * The agent asks over a SOCK_SEQPACKET socket. A request is ints: the user and the group of the worker (-1: those of this process), how
 * many more groups it is in, and these; with two descriptors or three: the worker's standard input, its output, and the mount
 * namespace that it is to be in. The answer is one int: the worker's process id, or a negative errno.
 *
 * The worker is forked twice, so that it becomes a child of the agent (which is a subreaper): the agent waits for it as for any
 * child, and neither it nor this process depends on the other's life. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIGHEST_CAPABILITY 63

/* As many as an app has with MOST_SYNCS synced folders to write to (chalicelib/syncs/folders.py). */
#define MOST_GROUPS 32

struct request {
    int user;
    int group;
    int count;
    int more[MOST_GROUPS];
};

static void answer(int control, int value)
{
    while (send(control, &value, sizeof value, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

/* Give up everything that this process may and the app may not. After this no privilege can come back. */
static int become(const struct request *wanted)
{
    if (wanted->user >= 0) {
        gid_t more[MOST_GROUPS];
        if (wanted->count < 0 || wanted->count > MOST_GROUPS)
            return -EINVAL;
        for (int number = 0; number < wanted->count; number++)
            more[number] = (gid_t)wanted->more[number];
        for (int capability = 0; capability <= HIGHEST_CAPABILITY; capability++)
            if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EINVAL)
                return -errno;
        const gid_t group = (gid_t)wanted->group;
        const uid_t user = (uid_t)wanted->user;
        if (setgroups((size_t)wanted->count, more) < 0 || setresgid(group, group, group) < 0 || setresuid(user, user, user) < 0)
            return -errno;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    /* Changing the user made the process's files in /proc root's; a fresh R's are its own. There is nothing in it that is not the app's. */
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return -errno;
    /* Last, for a change of the user takes it back. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return -errno;
    return 0;
}

static int furnish(int control, const int descriptors[3], pid_t middle, pid_t agent, struct request wanted)
{
    const int input = descriptors[0], output = descriptors[1], room = descriptors[2];
    int failed;
    if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        return -errno;
    close(input);
    close(output);
    if (room >= 0 && (setns(room, CLONE_NEWNS) < 0 || close(room) < 0))
        return -errno;
    if (setsid() < 0)
        return -errno;
    while (getppid() == middle)
        usleep(50);
    if ((failed = become(&wanted)) < 0)
        return failed;
    if (getppid() != agent) /* it died, or does not adopt orphans */
        return -ESRCH;
    fcntl(control, F_SETFD, FD_CLOEXEC);
    return 0;
}

static int receive(int control, struct request *wanted, int descriptors[3])
{
    char space[CMSG_SPACE(3 * sizeof(int))];
    struct iovec part = {wanted, sizeof *wanted};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = space;
    message.msg_controllen = sizeof space;
    ssize_t got;
    while ((got = recvmsg(control, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (got != sizeof *wanted || header == NULL || header->cmsg_type != SCM_RIGHTS)
        return 0;
    if (header->cmsg_len != CMSG_LEN(2 * sizeof(int)) && header->cmsg_len != CMSG_LEN(3 * sizeof(int)))
        return 0;
    descriptors[2] = -1;
    memcpy(descriptors, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    return 1;
}

/* Serve requests on *control. Returns in each worker with *worker = 1, and here with 0 when the agent asks no more. */
void sheen_fork(int *control, int *worker)
{
    struct request wanted;
    int descriptors[3];
    const pid_t agent = getppid();

    *worker = 0;
    while (receive(*control, &wanted, descriptors)) {
        fflush(NULL);
        const pid_t middle = fork();
        if (middle == 0) {
            const pid_t self = getpid();
            const pid_t child = fork();
            if (child < 0)
                answer(*control, -errno);
            if (child != 0)
                _exit(0);
            const int failed = furnish(*control, descriptors, self, agent, wanted);
            answer(*control, failed < 0 ? failed : getpid());
            close(*control);
            if (failed < 0)
                _exit(1);
            *worker = 1;
            return;
        }
        if (middle < 0)
            answer(*control, -errno);
        close(descriptors[0]);
        close(descriptors[1]);
        if (descriptors[2] >= 0)
            close(descriptors[2]);
        while (middle > 0 && waitpid(middle, NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

/* Tell the agent something, as one message. */
void sheen_say(int *control, char **text)
{
    while (send(*control, *text, strlen(*text), MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}
