/*
 * meaning:   on-CPU stacks of the kernel, by executable
 * systems:   freebsd
 * privilege: root
 * cost:      low: 97 samples a second on each CPU
 * keys:      execname stack
 * value:     count
 * unit:      1
 */
profile:::profile-97
/arg0 && (curthread->td_flags & 0x20) == 0/
{
	@q[strlen(execname), execname, stack()] = count();
}
