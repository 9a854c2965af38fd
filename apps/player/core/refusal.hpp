// Why a fit cannot be played: one line, thrown while it is read or prepared, never in the audio thread.
#pragma once

#include <stdexcept>
#include <string>

namespace fdnlearn {

struct Refusal : std::runtime_error {
    Refusal(const std::string& subject, const std::string& problem) : std::runtime_error(subject + ": " + problem) {}
};

} // namespace fdnlearn
