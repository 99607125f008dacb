// Data cache maintenance by address, to the point of coherency.
#if defined(__aarch64__)
#include "levels.inc"

	.section .text.baton_clean_to_poc, "ax"
	.globl	baton_clean_to_poc
// x0 = start, x1 = end (exclusive). Cleans every line that the range touches. No barrier: nobody
// looks before the departure, whose own covers every clean before it, but for a CPU that is started.
// Invalidated as well: on some Cortex-A53 a clean alone can lose data (errata 819472, 824069,
// 826319, 827319), and nobody needs these lines in the cache any more.
baton_clean_to_poc:
	data_line_size x2, x3
	sub	x3, x2, #1
	bic	x0, x0, x3
1:	cmp	x0, x1
	b.hs	2f
	dc	civac, x0
	add	x0, x0, x2
	b	1b
2:	ret

	.section .text.baton_complete_cleaning, "ax"
	.globl	baton_complete_cleaning
// Waits until what was cleaned can be seen around the caches.
baton_complete_cleaning:
	dsb	sy
	ret
#endif
