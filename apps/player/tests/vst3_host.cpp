// A small VST3 host on DPF's own headers, for what pedalboard does not do: streams that take or give few bytes at a time.
//   vst3_host BINARY STATE RATE FRAMES CHANNELS OUT STREAM_BYTES
// As clap_host. Prints the plugin's class, 32 digits in the order in which it lies in memory.
#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "travesty/audio_processor.h"
#include "travesty/base.h"
#include "travesty/bstream.h"
#include "travesty/component.h"
#include "travesty/factory.h"

#include "files.hpp"

namespace {

std::size_t streamBytes = ~std::size_t{0};

// A stream as VST3 sees it: a pointer to a table of functions, then whatever is ours.
struct Stream {
    const void* table;
    std::string data;
    std::size_t at = 0;
};

v3_result V3_API query(void*, const v3_tuid, void** found)
{
    *found = nullptr;
    return V3_NO_INTERFACE;
}
uint32_t V3_API count(void*)
{
    return 1;
}
v3_result V3_API readSome(void* self, void* buffer, int32_t size, int32_t* done)
{
    auto* const stream = static_cast<Stream*>(self);
    const std::size_t some = std::min({std::size_t(size), streamBytes, stream->data.size() - stream->at});
    std::memcpy(buffer, stream->data.data() + stream->at, some);
    stream->at += some;
    if (done)
        *done = int32_t(some);
    return V3_OK;
}
v3_result V3_API writeSome(void* self, void* buffer, int32_t size, int32_t* done)
{
    const std::size_t some = std::min(std::size_t(size), streamBytes);
    static_cast<Stream*>(self)->data.append(static_cast<const char*>(buffer), some);
    if (done)
        *done = int32_t(some);
    return V3_OK;
}
v3_result V3_API seek(void*, int64_t, int32_t, int64_t*)
{
    return V3_NOT_IMPLEMENTED;
}
v3_result V3_API tell(void*, int64_t*)
{
    return V3_NOT_IMPLEMENTED;
}

struct StreamTable {
    v3_funknown unknown;
    v3_bstream stream;
} table;

[[noreturn]] void fail(const char* what)
{
    std::fprintf(stderr, "vst3_host: %s\n", what);
    std::exit(1);
}

void** factoryOf(const char* path)
{
#ifdef _WIN32
    const HMODULE library = LoadLibraryA(path);
    const auto entry = library ? reinterpret_cast<bool (*)()>(GetProcAddress(library, "InitDll")) : nullptr;
    if (!library || (entry && !entry()))
        fail("the plugin does not load");
    const auto factory = reinterpret_cast<void*(V3_API*)()>(GetProcAddress(library, "GetPluginFactory"));
#else
    void* const library = dlopen(path, RTLD_NOW);
    if (!library)
        fail(dlerror());
    const auto entry = reinterpret_cast<bool (*)(void*)>(dlsym(library, "ModuleEntry"));
    if (entry && !entry(library))
        fail("the plugin does not load");
    const auto factory = reinterpret_cast<void*(V3_API*)()>(dlsym(library, "GetPluginFactory"));
#endif
    return factory ? static_cast<void**>(factory()) : nullptr;
}

} // namespace

int main(int words, char** word)
{
    if (words != 8)
        fail("BINARY STATE RATE FRAMES CHANNELS OUT STREAM_BYTES");
    std::setlocale(LC_ALL, "");
    const double rate = std::atof(word[3]);
    const long frames = std::atol(word[4]), channels = std::atol(word[5]), block = 441;
    streamBytes = std::size_t(std::atol(word[7]));
    table = {{query, count, count}, {readSome, writeSome, seek, tell}};

    void** const factory = factoryOf(word[1]);
    if (!factory)
        fail("no VST3 plugin");
    struct FactoryTable {
        v3_funknown unknown;
        v3_plugin_factory factory;
    };
    const auto* const made = static_cast<const FactoryTable*>(*factory);
    v3_tuid id = {};
    for (int32_t c = 0; c < made->factory.num_classes(factory); ++c) {
        v3_class_info info = {};
        made->factory.get_class_info(factory, c, &info);
        if (!std::strcmp(info.category, "Audio Module Class"))
            std::memcpy(id, info.class_id, sizeof id);
    }
    for (const auto byte : id)
        std::printf("%02X", unsigned(static_cast<unsigned char>(byte)));
    std::printf("\n");

    void* object = nullptr;
    if (made->factory.create_instance(factory, id, v3_component_iid, &object) != V3_OK || !object)
        fail("the plugin cannot be made");
    auto** const component = static_cast<v3_component_cpp**>(object);
    (*component)->base.initialize(component, nullptr);
    (*component)->query_interface(component, v3_audio_processor_iid, &object);
    auto** const processor = static_cast<v3_audio_processor_cpp**>(object);
    v3_process_setup setup = {V3_OFFLINE, V3_SAMPLE_32, int32_t(block), rate};
    (*processor)->proc.setup_processing(processor, &setup);
    for (int32_t direction : {V3_INPUT, V3_OUTPUT})
        (*component)->comp.activate_bus(component, V3_AUDIO, direction, 0, true);

    Stream in{&table, contents(word[2])}, out{&table, {}};
    if ((*component)->comp.set_state(component, reinterpret_cast<v3_bstream**>(&in)) != V3_OK)
        fail("the state is refused");
    if ((*component)->comp.get_state(component, reinterpret_cast<v3_bstream**>(&out)) != V3_OK)
        fail("the state is not saved");
    std::ofstream(std::string(word[6]) + ".state", std::ios::binary) << out.data;

    (*component)->comp.set_active(component, true);
    (*processor)->proc.set_processing(processor, true);
    std::vector<float> x[2], y[2], heard;
    for (int k = 0; k < 2; ++k) {
        x[k].resize(std::size_t(block));
        y[k].resize(std::size_t(block));
    }
    for (long done = 0; done < frames; done += block) {
        const long size = std::min(block, frames - done);
        float* from[2] = {x[0].data(), x[1].data()};
        float* to[2] = {y[0].data(), y[1].data()};
        for (int k = 0; k < 2; ++k)
            x[k][0] = done == 0 && (channels >> k & 1) ? 1.0f : 0.0f;
        v3_audio_bus_buffers source = {}, sink = {};
        source.num_channels = sink.num_channels = 2;
        source.channel_buffers_32 = from;
        sink.channel_buffers_32 = to;
        v3_process_data data = {};
        data.process_mode = V3_OFFLINE;
        data.symbolic_sample_size = V3_SAMPLE_32;
        data.nframes = int32_t(size);
        data.num_input_buses = data.num_output_buses = 1;
        data.inputs = &source;
        data.outputs = &sink;
        (*processor)->proc.process(processor, &data);
        for (long t = 0; t < size; ++t)
            for (int k = 0; k < 2; ++k)
                heard.push_back(y[k][std::size_t(t)]);
    }
    save(word[6], heard);
    return 0;
}
