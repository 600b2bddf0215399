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
          const data = (value) => {
            if (typeof value === "string" || typeof value === "number") return ["text", String(value)];
            const bytes = ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
              : value instanceof ArrayBuffer ? new Uint8Array(value) : null;
            if (bytes === null) throw new TypeError(`text or bytes are needed here, not ${value === null ? "null" : typeof value}`);
            return ["hex", Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")];
          };
          const formed = (form, make) => form !== "bytes" ? make(form)
            : Uint8Array.from(make("hex").match(/../g), (pair) => parseInt(pair, 16));
          const digest = (algorithm, value, form = "hex") =>
            formed(form, (form) => native("hash", algorithm, form, ...data(value)));
          const hmac = (algorithm, key, value, form = "hex") =>
            formed(form, (form) => native("hmac", algorithm, form, ...data(key), ...data(value)));
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
            md5: (value, form) => digest("md5", value, form),
            sha1: (value, form) => digest("sha1", value, form),
            sha256: (value, form) => digest("sha256", value, form),
            sha512: (value, form) => digest("sha512", value, form),
            base64: freeze({ encode: (value) => native("encode", "base64", ...data(value)),
                             decode: (text) => native("decode", text, "base64") }),
            base64url: freeze({ encode: (value) => native("encode", "base64url", ...data(value)),
                                decode: (text) => native("decode", text, "base64url") }),
            hex: freeze({ encode: (value) => native("encode", "hex", ...data(value)),
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
