/*
 * meaning:   time that spa_sync took to write a transaction group, by pool
 * systems:   solaris10 solaris11 illumos freebsd
 * privilege: dtrace_kernel (Solaris, illumos); root elsewhere
 * cost:      low: once a transaction group
 * keys:      pool
 * value:     quantize
 * unit:      ns
 */
fbt:zfs:spa_sync:entry
{
	self->start = timestamp;
	self->pool = stringof(args[0]->spa_name);
}

fbt:zfs:spa_sync:return
/self->start/
{
	@q[strlen(self->pool), self->pool] = quantize(timestamp - self->start);
	self->start = 0;
	self->pool = 0;
}
