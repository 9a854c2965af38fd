// The player as a plugin: parameters and the fit's text go in, DPF makes VST3, CLAP and LV2 of it.
#include <cstring>
#include <memory>

#include "DistrhoPlugin.hpp"

#include "core/player.hpp"
#include "core/version.hpp"

START_NAMESPACE_DISTRHO

class FdnPlayer final : public Plugin {
public:
    FdnPlayer() : Plugin(fdnlearn::controlCount, 0, 1) {}

protected:
    const char* getLabel() const override { return "fdnlearn_player"; }
    const char* getDescription() const override { return "Plays a room that fdnlearn fitted. " FDNLEARN_PLAYER_MARK; }
    const char* getMaker() const override { return "fdnlearn"; }
    const char* getLicense() const override { return "MIT"; }
    uint32_t getVersion() const override
    {
        return d_version(FDNLEARN_PLAYER_MAJOR, FDNLEARN_PLAYER_MINOR, FDNLEARN_PLAYER_PATCH);
    }
    int64_t getUniqueId() const override { return d_cconst('f', 'd', 'n', 'P'); }

    void initParameter(uint32_t index, Parameter& parameter) override
    {
        const fdnlearn::ControlRange& range = fdnlearn::controlRanges[index];
        parameter.hints = kParameterIsAutomatable;
        if (range.onOff)
            parameter.hints |= kParameterIsBoolean | kParameterIsInteger;
        parameter.name = range.name;
        parameter.symbol = range.symbol;
        parameter.unit = range.unit;
        parameter.ranges.min = range.least;
        parameter.ranges.max = range.most;
        parameter.ranges.def = range.usual;
    }

    void initState(uint32_t, State& state) override
    {
        state.key = "fit";
        state.label = "Fit";
        state.defaultValue = "";
        state.hints = kStateIsOnlyForDSP;
    }

    float getParameterValue(uint32_t index) const override { return player_.get(static_cast<int>(index)); }
    void setParameterValue(uint32_t index, float value) override { player_.set(static_cast<int>(index), value); }

    String getState(const char*) const override { return fit_; }

    // What cannot be read leaves everything as it is.
    void setState(const char* key, const char* value) override
    {
        if (std::strcmp(key, "fit") != 0 || value[0] == '\0')
            return;
        try {
            player_.load(std::make_shared<const fdnlearn::Fit>(fdnlearn::FitReader::read(value)));
            fit_ = value;
        } catch (const std::exception& refusal) {
            d_stderr("fdnlearn player: %s", refusal.what());
        }
    }

    void activate() override
    {
        try {
            player_.start(getSampleRate());
        } catch (const std::exception& refusal) {
            d_stderr("fdnlearn player: %s", refusal.what());
        }
    }

    void run(const float** in, float** out, uint32_t frames) override
    {
        player_.process(in, out, static_cast<int>(frames));
    }

private:
    fdnlearn::Player player_;
    String fit_;

    DISTRHO_DECLARE_NON_COPYABLE_WITH_LEAK_DETECTOR(FdnPlayer)
};

Plugin* createPlugin()
{
    return new FdnPlayer();
}

END_NAMESPACE_DISTRHO
