/*
 * meaning:   time that spa_sync took to write a transaction group, by thread
 * systems:   linux
 * privilege: root
 * cost:      low: once a transaction group
 * keys:      execname
 * value:     quantize
 * unit:      ns
 */
fbt:zfs:spa_sync:entry
{
	self->start = timestamp;
}

fbt:zfs:spa_sync:return
/self->start/
{
	@q[strlen(execname), execname] = quantize(timestamp - self->start);
	self->start = 0;
}
