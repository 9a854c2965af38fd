// A small CLAP host: loads a state, saves it again, plays an impulse, writes what it hears.
//   clap_host PLUGIN STATE RATE FRAMES CHANNELS OUT [STREAM_BYTES [BLOCK]]
// The impulse goes into the channels of the bit mask CHANNELS. STREAM_BYTES is what a stream takes or gives at a time.
// OUT gets frames of two floats; OUT.state the state as the plugin saved it.
#include <dlfcn.h>

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "clap/entry.h"
#include "clap/ext/state.h"
#include "clap/plugin-factory.h"
#include "clap/plugin.h"
#include "clap/process.h"

// Where it is linked in, what counts memory and locks is told when audio is being processed.
extern "C" __attribute__((weak)) void audio_thread(int inside);
extern "C" __attribute__((weak)) int audio_thread_offences();

namespace {

std::size_t streamBytes = ~std::size_t{0};

struct Input {
    std::string data;
    std::size_t at = 0;
};

int64_t readSome(const clap_istream* stream, void* buffer, uint64_t size)
{
    auto* const input = static_cast<Input*>(stream->ctx);
    const std::size_t count = std::min({std::size_t(size), streamBytes, input->data.size() - input->at});
    std::memcpy(buffer, input->data.data() + input->at, count);
    input->at += count;
    return int64_t(count);
}

int64_t writeSome(const clap_ostream* stream, const void* buffer, uint64_t size)
{
    const std::size_t count = std::min(std::size_t(size), streamBytes);
    static_cast<std::string*>(stream->ctx)->append(static_cast<const char*>(buffer), count);
    return int64_t(count);
}

[[noreturn]] void fail(const char* what)
{
    std::fprintf(stderr, "clap_host: %s\n", what);
    std::exit(1);
}

std::string contents(const char* path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file)
        fail("a file cannot be read");
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

int main(int count, char** words)
{
    if (count < 7)
        fail("PLUGIN STATE RATE FRAMES CHANNELS OUT [STREAM_BYTES [BLOCK]]");
    std::setlocale(LC_ALL, "");
    const std::string state = contents(words[2]);
    const long rate = std::atol(words[3]), frames = std::atol(words[4]), channels = std::atol(words[5]);
    if (count > 7)
        streamBytes = std::size_t(std::atol(words[7]));
    const long block = count > 8 ? std::atol(words[8]) : 441;

    void* const library = dlopen(words[1], RTLD_NOW);
    if (!library)
        fail(dlerror());
    const auto* const entry = static_cast<const clap_plugin_entry*>(dlsym(library, "clap_entry"));
    if (!entry || !entry->init(words[1]))
        fail("no CLAP plugin");
    const auto* const factory = static_cast<const clap_plugin_factory*>(entry->get_factory(CLAP_PLUGIN_FACTORY_ID));
    static const clap_host host = {CLAP_VERSION,
                                   nullptr,
                                   "fdnlearn check",
                                   "fdnlearn",
                                   "",
                                   "1",
                                   [](const clap_host*, const char*) -> const void* { return nullptr; },
                                   [](const clap_host*) {},
                                   [](const clap_host*) {},
                                   [](const clap_host*) {}};
    const clap_plugin* const plugin =
        factory->create_plugin(factory, &host, factory->get_plugin_descriptor(factory, 0)->id);
    if (!plugin || !plugin->init(plugin))
        fail("the plugin cannot be made");

    const auto* const states = static_cast<const clap_plugin_state*>(plugin->get_extension(plugin, CLAP_EXT_STATE));
    Input input{state};
    const clap_istream in = {&input, readSome};
    if (!states || !states->load(plugin, &in))
        fail("the state is refused");
    std::string saved;
    const clap_ostream out = {&saved, writeSome};
    if (!states->save(plugin, &out))
        fail("the state is not saved");
    std::ofstream(std::string(words[6]) + ".state", std::ios::binary) << saved;

    if (!plugin->activate(plugin, double(rate), 1, uint32_t(std::max(block, 2L))) || !plugin->start_processing(plugin))
        fail("the plugin does not start");
    std::vector<float> x[2], y[2], heard;
    for (int k = 0; k < 2; ++k) {
        x[k].resize(std::size_t(block));
        y[k].resize(std::size_t(block));
    }
    heard.reserve(std::size_t(2 * frames));
    const clap_input_events none = {nullptr, [](const clap_input_events*) -> uint32_t { return 0; },
                                    [](const clap_input_events*, uint32_t) -> const clap_event_header* {
                                        return nullptr;
                                    }};
    const clap_output_events nowhere = {nullptr,
                                        [](const clap_output_events*, const clap_event_header*) { return true; }};
    for (long done = 0; done < frames; done += block) {
        const long size = std::min(block, frames - done);
        float* from[2] = {x[0].data(), x[1].data()};
        float* to[2] = {y[0].data(), y[1].data()};
        for (int k = 0; k < 2; ++k)
            x[k][0] = done == 0 && (channels >> k & 1) ? 1.0f : 0.0f;
        const clap_audio_buffer source = {from, nullptr, 2, 0, 0};
        clap_audio_buffer sink = {to, nullptr, 2, 0, 0};
        clap_process process = {};
        process.steady_time = done;
        process.frames_count = uint32_t(size);
        process.audio_inputs = &source;
        process.audio_outputs = &sink;
        process.audio_inputs_count = process.audio_outputs_count = 1;
        process.in_events = &none;
        process.out_events = &nowhere;
        if (audio_thread)
            audio_thread(1);
        plugin->process(plugin, &process);
        if (audio_thread)
            audio_thread(0);
        for (long t = 0; t < size; ++t)
            for (int k = 0; k < 2; ++k)
                heard.push_back(y[k][std::size_t(t)]);
    }
    std::ofstream file(words[6], std::ios::binary);
    file.write(reinterpret_cast<const char*>(heard.data()), std::streamsize(heard.size() * sizeof(float)));
    plugin->stop_processing(plugin);
    plugin->deactivate(plugin);
    plugin->destroy(plugin);
    entry->deinit();
    if (audio_thread_offences && audio_thread_offences() > 0) {
        std::fprintf(stderr, "clap_host: %d calls for memory or locks in the audio thread\n", audio_thread_offences());
        return 1;
    }
    return file ? 0 : 1;
}
