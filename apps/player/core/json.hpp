// JSON as the format of fits wants it: strict, bounded in depth, each key once, numbers as the nearest double under
// every locale.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "refusal.hpp"

namespace fdnlearn {

// A value and what is in it.
struct Json {
    enum class Kind { null, boolean, number, text, array, object };

    Kind kind = Kind::null;
    bool whole = false; // a number written without point or exponent
    double number = 0.0; // booleans too
    std::string text;
    std::vector<Json> items;
    std::vector<std::string> keys; // of an object, beside its items

    // What an object holds under a key, or nothing.
    const Json* find(std::string_view key) const
    {
        for (std::size_t i = 0; i < keys.size(); ++i)
            if (keys[i] == key)
                return &items[i];
        return nullptr;
    }
};

class JsonReader {
public:
    static constexpr std::size_t largestBytes = std::size_t{64} << 20;
    static constexpr int deepest = 64;

    // The one value that a text holds.
    static Json read(std::string_view text)
    {
        if (text.size() > largestBytes)
            throw Refusal("fit", "is larger than 64 MiB");
        JsonReader reader(text);
        Json value = reader.value(0);
        reader.space();
        if (reader.at_ != reader.end_)
            reader.fail("something follows the object");
        return value;
    }

private:
    explicit JsonReader(std::string_view text) : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}

    [[noreturn]] void fail(const char* what) const
    {
        throw Refusal("fit", "is not JSON (" + std::string(what) + " at byte " + std::to_string(at_ - begin_) + ")");
    }

    void space()
    {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r'))
            ++at_;
    }

    bool take(char wanted)
    {
        if (at_ == end_ || *at_ != wanted)
            return false;
        ++at_;
        return true;
    }

    bool word(std::string_view wanted)
    {
        if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, wanted.size()) != wanted)
            return false;
        at_ += wanted.size();
        return true;
    }

    Json value(int depth)
    {
        if (depth >= deepest)
            fail("it nests too deeply");
        space();
        if (at_ == end_)
            fail("it ends too early");
        Json json;
        if (*at_ == '{')
            return object(depth);
        if (*at_ == '[')
            return array(depth);
        if (*at_ == '"') {
            json.kind = Json::Kind::text;
            json.text = string();
        } else if (word("true")) {
            json.kind = Json::Kind::boolean;
            json.number = 1.0;
        } else if (word("false")) {
            json.kind = Json::Kind::boolean;
        } else if (!word("null")) {
            return number();
        }
        return json;
    }

    Json array(int depth)
    {
        Json json;
        json.kind = Json::Kind::array;
        entries(']', "an array does not end", [&] { json.items.push_back(value(depth + 1)); });
        return json;
    }

    Json object(int depth)
    {
        Json json;
        json.kind = Json::Kind::object;
        entries('}', "an object does not end", [&] {
            space();
            if (at_ == end_ || *at_ != '"')
                fail("a key is missing");
            std::string key = string();
            if (json.find(key))
                fail("a key is given twice");
            space();
            if (!take(':'))
                fail("a value is missing");
            json.keys.push_back(std::move(key));
            json.items.push_back(value(depth + 1));
        });
        return json;
    }

    /// What stands between commas, from the opening bracket to the closing one.
    template <class Entry>
    void entries(char closing, const char* unclosed, Entry entry)
    {
        ++at_;
        space();
        if (take(closing))
            return;
        do {
            entry();
            space();
        } while (take(','));
        if (!take(closing))
            fail(unclosed);
    }

    Json number()
    {
        const char* const start = at_;
        const auto digits = [this] {
            const char* const first = at_;
            while (at_ != end_ && *at_ >= '0' && *at_ <= '9')
                ++at_;
            return at_ - first;
        };
        take('-');
        const char* const leading = at_;
        const auto count = digits();
        if (count == 0 || (count > 1 && *leading == '0'))
            fail("a value is expected");
        Json json;
        json.kind = Json::Kind::number;
        json.whole = true;
        if (take('.')) {
            json.whole = false;
            if (digits() == 0)
                fail("digits are missing");
        }
        if (take('e') || take('E')) {
            json.whole = false;
            if (!take('+'))
                take('-');
            if (digits() == 0)
                fail("digits are missing");
        }
        const auto read = std::from_chars(start, at_, json.number);
        if (read.ec == std::errc::result_out_of_range) {
            // too small is zero, too large is refused; the exponent's sign tells them apart
            const std::string_view token(start, static_cast<std::size_t>(at_ - start));
            if (token.find("e-") == token.npos && token.find("E-") == token.npos)
                fail("a number is beyond double precision");
            json.number = 0.0;
        } else if (read.ec != std::errc() || read.ptr != at_ || !std::isfinite(json.number)) {
            fail("a number cannot be read");
        }
        return json;
    }

    // Escapes other than ASCII become question marks: no key or value that matters has any.
    std::string string()
    {
        ++at_;
        std::string text;
        while (at_ != end_ && *at_ != '"') {
            if (static_cast<unsigned char>(*at_) < 0x20)
                fail("a control character in a text");
            if (*at_ != '\\') {
                text += *at_++;
                continue;
            }
            if (++at_ == end_)
                break;
            const char escape = *at_++;
            if (escape == 'u') {
                unsigned code = 0;
                if (end_ - at_ < 4)
                    fail("an escape is cut off");
                const auto read = std::from_chars(at_, at_ + 4, code, 16);
                if (read.ptr != at_ + 4)
                    fail("an escape is wrong");
                at_ += 4;
                text += code < 0x80 ? static_cast<char>(code) : '?';
            } else {
                static constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
                const auto place = from.find(escape);
                if (place == from.npos)
                    fail("an escape is wrong");
                text += to[place];
            }
        }
        if (!take('"'))
            fail("a text does not end");
        return text;
    }

    const char* begin_;
    const char* at_;
    const char* end_;
};

} // namespace fdnlearn
