/* Runs a program and kills it (SIGKILL) right before the N-th call that changes what lies on the disk: a file made, a
 * flush, a rename, a removal, a folder, a link, a cut. Calls are counted over all of its threads, in the order in which
 * they come, whatever library makes them; before call N is after call N-1.
 *
 *     cc -O2 -o killer killer.c
 *     killer N OUT program argument..
 *
 * N is 0 to count only. OUT is a file that gets the number of calls seen. Exits as the program does; 137 where it was
 * killed. Linux alone. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const int CALLS[] = {
    __NR_fsync, __NR_fdatasync, __NR_renameat2, __NR_unlinkat, __NR_mkdirat, __NR_symlinkat, __NR_linkat, __NR_ftruncate,
#ifdef __NR_renameat
    __NR_renameat,
#endif
#ifdef __NR_rename /* those of the older architectures */
    __NR_rename, __NR_unlink, __NR_mkdir, __NR_rmdir, __NR_symlink, __NR_link,
#endif
};
enum { COUNT = sizeof CALLS / sizeof *CALLS };

/* Stops at the calls above, and where openat makes a file. */
static void filter(void) {
    struct sock_filter code[COUNT * 2 + 8];
    unsigned n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < COUNT; i++) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[i], 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    }
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 0, 3);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT, 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {n, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        perror("killer: seccomp");
        _exit(125);
    }
}

int main(int count, char **words) {
    if (count < 4) {
        fputs("usage: killer N OUT program argument..\n", stderr);
        return 125;
    }
    long target = atol(words[1]), seen = 0;
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        filter();
        execv(words[3], words + 3);
        perror(words[3]);
        _exit(125);
    }
    int status, code = 125;
    waitpid(child, &status, 0);
    long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, child, 0, options)) {
        perror("killer: ptrace");
        kill(child, SIGKILL);
        return 125;
    }
    ptrace(PTRACE_CONT, child, 0, 0);
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0) {
            break;
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread == child) {
                code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            }
            continue;
        }
        int sent = WSTOPSIG(status);
        if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_SECCOMP << 8)) && ++seen == target) {
            kill(child, SIGKILL);
            kill(thread, SIGKILL); /* where it is a process that the program started */
            continue;
        }
        /* Events of tracing and the first stop of each thread are none of the program's business. */
        int passed = (sent == SIGTRAP || sent == SIGSTOP) ? 0 : sent;
        ptrace(PTRACE_CONT, thread, 0, passed);
    }
    FILE *out = fopen(words[2], "w");
    if (out) {
        fprintf(out, "%ld\n", seen);
        fclose(out);
    }
    return code;
}
