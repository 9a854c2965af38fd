/* A small LV2 host: restores a preset out of its bundle, plays an impulse, writes what it hears.
     lv2_host PRESET_URI RATE FRAMES CHANNELS OUT
   Bundles are found through LV2_PATH. The impulse goes into the channels of the bit mask CHANNELS. OUT gets frames of
   two floats. */
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lilv/lilv.h>
#include <lv2/atom/atom.h>
#include <lv2/buf-size/buf-size.h>
#include <lv2/options/options.h>
#include <lv2/parameters/parameters.h>
#include <lv2/presets/presets.h>
#include <lv2/urid/urid.h>
#include <lv2/worker/worker.h>

#define MOST_URIS 1024
#define BLOCK 441

static char *uris[MOST_URIS];
static uint32_t uri_count;
static LilvInstance *instance;
static const LV2_Worker_Interface *worker;
static LilvWorld *world;
static const LilvPlugin *plugin;
static float *controls;

static void fail(const char *what)
{
    fprintf(stderr, "lv2_host: %s\n", what);
    exit(1);
}

static LV2_URID map_uri(LV2_URID_Map_Handle handle, const char *uri)
{
    (void)handle;
    for (uint32_t i = 0; i < uri_count; ++i)
        if (!strcmp(uris[i], uri))
            return i + 1;
    if (uri_count == MOST_URIS)
        fail("too many URIs");
    uris[uri_count] = strdup(uri);
    return ++uri_count;
}

static const char *unmap_uri(LV2_URID_Unmap_Handle handle, LV2_URID urid)
{
    (void)handle;
    return urid > 0 && urid <= uri_count ? uris[urid - 1] : NULL;
}

static LV2_Worker_Status respond(LV2_Worker_Respond_Handle handle, uint32_t size, const void *data)
{
    (void)handle;
    return worker->work_response ? worker->work_response(lilv_instance_get_handle(instance), size, data)
                                 : LV2_WORKER_SUCCESS;
}

static LV2_Worker_Status schedule(LV2_Worker_Schedule_Handle handle, uint32_t size, const void *data)
{
    (void)handle;
    return worker ? worker->work(lilv_instance_get_handle(instance), respond, NULL, size, data)
                  : LV2_WORKER_ERR_UNKNOWN;
}

static void set_port(const char *symbol, void *data, const void *value, uint32_t size, uint32_t type)
{
    LilvNode *name = lilv_new_string(world, symbol);
    const LilvPort *port = lilv_plugin_get_port_by_symbol(plugin, name);
    (void)data;
    lilv_node_free(name);
    if (port && size == sizeof(float) && type == map_uri(NULL, LV2_ATOM__Float))
        controls[lilv_port_get_index(plugin, port)] = *(const float *)value;
    else if (port && size == sizeof(double) && type == map_uri(NULL, LV2_ATOM__Double))
        controls[lilv_port_get_index(plugin, port)] = (float)*(const double *)value;
    else
        fail("the preset sets a port that cannot be set");
}

int main(int count, char **words)
{
    static float in[2][BLOCK], out[2][BLOCK];
    static LV2_Atom_Sequence no_events;
    static union {
        LV2_Atom atom;
        char room[65536];
    } events;
    if (count != 6)
        fail("PRESET_URI RATE FRAMES CHANNELS OUT");
    setlocale(LC_ALL, "");
    const double rate = atof(words[2]);
    const long frames = atol(words[3]), channels = atol(words[4]);
    world = lilv_world_new();
    lilv_world_load_all(world);

    LilvNode *uri = lilv_new_uri(world, words[1]), *applies = lilv_new_uri(world, LILV_NS_LV2 "appliesTo");
    lilv_world_load_resource(world, uri);
    LilvNode *whose = lilv_world_get(world, uri, applies, NULL);
    plugin = whose ? lilv_plugins_get_by_uri(lilv_world_get_all_plugins(world), whose) : NULL;
    if (!plugin)
        fail("the preset or its plugin is not found");

    const int32_t block = BLOCK;
    const float float_rate = (float)rate;
    LV2_URID_Map map = {NULL, map_uri};
    LV2_URID_Unmap unmap = {NULL, unmap_uri};
    LV2_Worker_Schedule schedules = {NULL, schedule};
    const LV2_URID is_int = map_uri(NULL, LV2_ATOM__Int), is_float = map_uri(NULL, LV2_ATOM__Float);
    LV2_Options_Option options[] = {
        {LV2_OPTIONS_INSTANCE, 0, map_uri(NULL, LV2_BUF_SIZE__nominalBlockLength), sizeof block, is_int, &block},
        {LV2_OPTIONS_INSTANCE, 0, map_uri(NULL, LV2_BUF_SIZE__maxBlockLength), sizeof block, is_int, &block},
        {LV2_OPTIONS_INSTANCE, 0, map_uri(NULL, LV2_PARAMETERS__sampleRate), sizeof float_rate, is_float, &float_rate},
        {LV2_OPTIONS_INSTANCE, 0, 0, 0, 0, NULL}};
    const LV2_Feature features[] = {{LV2_URID__map, &map},
                                    {LV2_URID__unmap, &unmap},
                                    {LV2_OPTIONS__options, options},
                                    {LV2_BUF_SIZE__boundedBlockLength, NULL},
                                    {LV2_WORKER__schedule, &schedules}};
    const LV2_Feature *given[] = {&features[0], &features[1], &features[2], &features[3], &features[4], NULL};
    instance = lilv_plugin_instantiate(plugin, rate, given);
    if (!instance)
        fail("the plugin cannot be made");
    worker = (const LV2_Worker_Interface *)lilv_instance_get_extension_data(instance, LV2_WORKER__interface);

    const uint32_t ports = lilv_plugin_get_num_ports(plugin);
    controls = calloc(ports, sizeof *controls);
    lilv_plugin_get_port_ranges_float(plugin, NULL, NULL, controls);
    no_events.atom.type = map_uri(NULL, LV2_ATOM__Sequence);
    no_events.atom.size = sizeof no_events.body;
    LilvNode *audio = lilv_new_uri(world, LV2_CORE__AudioPort), *control = lilv_new_uri(world, LV2_CORE__ControlPort);
    LilvNode *input = lilv_new_uri(world, LV2_CORE__InputPort);
    int inputs = 0, outputs = 0;
    for (uint32_t p = 0; p < ports; ++p) {
        const LilvPort *port = lilv_plugin_get_port_by_index(plugin, p);
        const int goes_in = lilv_port_is_a(plugin, port, input);
        void *place = goes_in ? (void *)&no_events : (void *)&events;
        if (lilv_port_is_a(plugin, port, control))
            place = controls + p;
        else if (lilv_port_is_a(plugin, port, audio))
            place = goes_in ? in[inputs++ % 2] : out[outputs++ % 2];
        lilv_instance_connect_port(instance, p, place);
    }

    LilvState *state = lilv_state_new_from_world(world, &map, uri);
    if (!state || lilv_state_get_num_properties(state) != 1)
        fail("the preset holds no fit");
    lilv_state_restore(state, instance, set_port, NULL, 0, given);

    FILE *file = fopen(words[5], "wb");
    if (!file)
        fail("the output cannot be written");
    lilv_instance_activate(instance);
    for (long done = 0; done < frames; done += BLOCK) {
        const long size = frames - done < BLOCK ? frames - done : BLOCK;
        for (int k = 0; k < 2; ++k)
            in[k][0] = done == 0 && (channels >> k & 1) ? 1.0f : 0.0f;
        events.atom.size = sizeof events - sizeof events.atom; /* the room there is */
        lilv_instance_run(instance, (uint32_t)size);
        for (long t = 0; t < size; ++t)
            for (int k = 0; k < 2; ++k)
                fwrite(&out[k][t], sizeof out[k][t], 1, file);
    }
    const int failed = fclose(file);
    lilv_instance_deactivate(instance);
    lilv_state_free(state);
    lilv_instance_free(instance);
    lilv_node_free(audio);
    lilv_node_free(control);
    lilv_node_free(input);
    lilv_node_free(whose);
    lilv_node_free(applies);
    lilv_node_free(uri);
    lilv_world_free(world);
    free(controls);
    while (uri_count)
        free(uris[--uri_count]);
    return failed ? 1 : 0;
}
