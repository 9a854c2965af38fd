# The part of the build that is DPF's. Called by Makefile.

FILES_DSP = plugin.cpp
UI_TYPE = none
# Loop filters are designed for exact arithmetic: DPF's -ffast-math would also set the host's floating-point flags.
override CXXFLAGS += -std=c++17 -O3 -fno-fast-math -ffp-contract=off -Wall -Wextra -I$(LOOP) -Icore

include $(DPF_PATH)/Makefile.plugins.mk
