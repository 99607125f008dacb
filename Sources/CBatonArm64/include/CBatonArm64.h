// What the loader and the stage share on the C side, as one module for Swift: layouts, which
// compile everywhere, and the SHA-256 instructions, which are there on arm64 only.
#pragma once

#include "handoff_block.h"
#include "handoff_record.h"
#include "sha256.h"
#include "stage_header.h"
