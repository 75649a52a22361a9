/*
 * meaning:   on-CPU stacks of the kernel, by executable
 * systems:   solaris10 solaris11 illumos
 * privilege: dtrace_kernel
 * cost:      low: 97 samples a second on each CPU
 * keys:      execname stack
 * value:     count
 * unit:      1
 */
profile:::profile-97
/arg0 && curthread->t_pri != -1/
{
	@q[strlen(execname), execname, stack()] = count();
}
