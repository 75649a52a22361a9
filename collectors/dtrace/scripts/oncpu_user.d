/*
 * meaning:   on-CPU stacks of programs, by executable
 * systems:   solaris10 solaris11 illumos freebsd linux
 * privilege: dtrace_kernel dtrace_proc dtrace_user (Solaris, illumos); root elsewhere
 * cost:      medium: 97 samples a second on each CPU; symbols are looked up in the processes
 * keys:      execname ustack
 * value:     count
 * unit:      1
 */
profile:::profile-97
/arg1/
{
	@q[strlen(execname), execname, ustack()] = count();
}
