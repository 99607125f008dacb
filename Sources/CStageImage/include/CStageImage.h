// dist/stage.bin, inside the program.
#pragma once

#include <stddef.h>

const void *baton_stage_image(void);
size_t baton_stage_image_size(void);
