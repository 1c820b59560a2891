/* A disk on which locks do nothing, as some network disks are: whoever asks for one is told that it has it. */
int flock(int file, int operation) {
    (void)file;
    (void)operation;
    return 0;
}
