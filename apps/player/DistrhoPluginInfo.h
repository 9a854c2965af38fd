// What DPF wants to know at compile time.
#pragma once

#define DISTRHO_PLUGIN_BRAND "fdnlearn"
#define DISTRHO_PLUGIN_NAME "fdnlearn player"
#define DISTRHO_PLUGIN_URI "urn:fdnlearn:player"
#define DISTRHO_PLUGIN_CLAP_ID "fdnlearn.player"

#define DISTRHO_PLUGIN_HAS_UI 0
#define DISTRHO_PLUGIN_IS_RT_SAFE 1
#define DISTRHO_PLUGIN_NUM_INPUTS 2
#define DISTRHO_PLUGIN_NUM_OUTPUTS 2
#define DISTRHO_PLUGIN_WANT_STATE 1
#define DISTRHO_PLUGIN_WANT_FULL_STATE 1

#define DISTRHO_PLUGIN_LV2_CATEGORY "lv2:ReverbPlugin"
#define DISTRHO_PLUGIN_VST3_CATEGORIES "Fx|Reverb|Stereo"
#define DISTRHO_PLUGIN_CLAP_FEATURES "audio-effect", "reverb", "stereo"
