/*
 * meaning:   off-CPU time by the kernel stack that waits, and by executable
 * systems:   solaris10 solaris11 illumos linux
 * privilege: dtrace_kernel (Solaris, illumos); root elsewhere
 * cost:      high: every switch of a thread
 * keys:      execname stack
 * value:     sum
 * unit:      ns
 */
sched:::off-cpu
/pid != 0/
{
	self->left = timestamp;
}

sched:::on-cpu
/self->left/
{
	@q[strlen(execname), execname, stack()] = sum(timestamp - self->left);
	self->left = 0;
}
