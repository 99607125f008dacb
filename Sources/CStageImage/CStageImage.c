#include "CStageImage.h"

// #embed is C23; as an extension it works in every mode.
#pragma clang diagnostic ignored "-Wc23-extensions"

#if !__has_embed("../../dist/stage.bin")
#error "dist/stage.bin is not built: run `make stage`"
#else
_Alignas(16) static const unsigned char image[] = {
#embed "../../dist/stage.bin"
};

const void *baton_stage_image(void) { return image; }

size_t baton_stage_image_size(void) { return sizeof image; }
#endif
