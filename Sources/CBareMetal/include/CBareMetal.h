// Registers, device memory and assembly for programs that own the machine, as one module for
// Swift. Empty but on arm64.
#pragma once

#include "mmio.h"
#include "stage_assembly.h"
#include "system_registers.h"
