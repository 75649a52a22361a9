r'''What a composed D program prints, and the parser of it.

The default layout of an aggregation cannot be split for certain (a string key may hold blanks and newlines and
pushes its column right), so composed programs print with formats of their own. All lines of the frame start with
``zs1 `` at the first column; anything outside of ``zs1 begin`` … ``zs1 end`` is no data and is skipped. Two
intervals of the standing question on a Solaris host::

    zs1 alias sd3 c3t0d0
    zs1 alias sd4 c3t1d0
    zs1 start 1795466706660834223 disk_io/by=device,latency
    zs1 begin 1 1795466706660834223 1795466707664415554
    zs1 key 3:sd3 quantize
               value  ------------- Distribution ------------- count    
               65536 |                                         0        
              131072 |@@@@                                     14       
              262144 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@     126      
              524288 |                                         0        
    zs1 yek
    zs1 key 3:sd4 quantize
               value  ------------- Distribution ------------- count    
             4194304 |                                         0        
             8388608 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 1        
            16777216 |                                         0        
    zs1 yek
    zs1 end 1 1795466707664415554
    zs1 begin 2 1795466707664415554 1795466708664187483
    zs1 end 2 1795466708664187483

``alias DEVICE NAME``
    Before the program, where the system has them: the kernel's name of a disk and what people call it (Solaris
    and illumos: sd3 is c3t0d0). Printed by the shell command around dtrace. May be missing altogether; then keys
    stay as the kernel names them.
``start WALLTIMESTAMP QUESTION``
    Printed by BEGIN: every probe is attached. Times are walltimestamp, nanoseconds since the epoch by the host's
    clock.
``begin N FROM TO`` … ``end N TO``
    One interval, N counting from 1. Printed in one clause, so nothing stands between them but the answer of this
    interval; an interval whose ``end`` carries another N or TO was cut and is dropped. An interval without events
    has no ``key``. TO - FROM is the interval's true length: a host that is too busy (or, under Linux, too idle) to
    fire its tick prints fewer and longer intervals, and no event is lost by it.
``key KEY… AGG``
    One aggregated row. A string key is ``LENGTH:TEXT``, length in bytes, so that it may hold blanks, newlines and
    anything else (``0:`` is the empty string); an integer key is ``#-5``. AGG is either ``quantize`` (or
    ``lquantize …``, ``llquantize …``), followed by dtrace's own block of lines: the header, one line per bucket
    (lower bound right-aligned in 16 columns, a blank, ``|``, 40 columns of bar, a blank, the count padded to 8, a
    blank; empty buckets outside of the data are elided but for one at each end) and a ``zs1 yek`` line; or
    ``count=12`` (sum, avg, min, max, stddev) on the same line. A stack key comes last: ``stack``, its frames on
    lines of their own from the innermost to the outermost, then a line ``zs1 yek count=12``.

Values of the standing question are nanoseconds; ``quantize`` has powers of two as lower bounds. The order of keys
is dtrace's own (by value) and changes from interval to interval. stderr carries drops and faults
(``dtrace: 12 aggregation drops on CPU 0``): they mark the interval under way.

The command is recognised by the comment that its program starts with, ``/* zonescope disk_io/by=device,latency */``
(the question's id; see `collectors.dtrace.compose`).
'''
