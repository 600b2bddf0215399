/// What a script finds besides the language itself; run in a global object when its script first asks for any of it.
///
/// Evaluates to a function of the one host function, whose value makes a box for the result of a promise.
enum Prelude {
    /// What it defines.
    static let names: Set<String> = [
        "console", "crypto", "hmac", "md5", "sha1", "sha256", "sha512", "base64", "base64url", "hex", "btoa",
        "atob",
    ]
    static let longestName = 9

    static let source = #"""
        (native) => {
          "use strict";
          const freeze = Object.freeze;
          const show = (value) => {
            if (typeof value === "string") return value;
            if (value instanceof Error) return String(value);
            try { return JSON.stringify(value) ?? String(value); } catch { return String(value); }
          };
          const print = (...values) => { native("print", values.map(show).join(" ")); };
          const digest = (algorithm, text, form = "hex") => native("hash", algorithm, text, form);
          const hmac = (algorithm, key, text, form = "hex") => native("hmac", algorithm, key, text, form);
          const own = {
            console: freeze({ log: print, info: print, warn: print, error: print, debug: print }),
            crypto: freeze({
              randomUUID: () => native("uuid"),
              getRandomValues: (array) => {
                const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
                const random = native("random", bytes.length);
                for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(random.substr(2 * i, 2), 16);
                return array;
              },
              hash: digest,
              hmac,
            }),
            hmac,
            md5: (text, form) => digest("md5", text, form),
            sha1: (text, form) => digest("sha1", text, form),
            sha256: (text, form) => digest("sha256", text, form),
            sha512: (text, form) => digest("sha512", text, form),
            base64: freeze({ encode: (text) => native("encode", text, "base64"),
                             decode: (text) => native("decode", text, "base64") }),
            base64url: freeze({ encode: (text) => native("encode", text, "base64url"),
                                decode: (text) => native("decode", text, "base64url") }),
            hex: freeze({ encode: (text) => native("encode", text, "hex"),
                          decode: (text) => native("decode", text, "hex") }),
            btoa: (text) => {
              const bytes = Array.from(String(text), (character) => {
                const code = character.codePointAt(0);
                if (code > 255) throw new RangeError("btoa takes characters up to U+00FF only");
                return code.toString(16).padStart(2, "0");
              });
              return native("recode", bytes.join(""), "hex", "base64");
            },
            atob: (text) => native("recode", text, "base64", "hex")
              .replace(/../g, (pair) => String.fromCharCode(parseInt(pair, 16))),
          };
          for (const name of Object.keys(own)) {
            Object.defineProperty(globalThis, name,
              { value: own[name], writable: true, configurable: true, enumerable: false });
          }
          const then = Promise.prototype.then;
          const resolve = Promise.resolve.bind(Promise);
          return (value) => {
            if (value === null || (typeof value !== "object" && typeof value !== "function")) return null;
            if (typeof value.then !== "function") return null;
            const box = { state: 0, value: undefined };
            then.call(resolve(value), (result) => { box.state = 1; box.value = result; },
              (error) => { box.state = 2; box.value = error; });
            return box;
          };
        }
        """#
}
