/// Scripts to begin with, in both languages; every one of them runs in the tests.
package enum ScriptExamples {
    package static let all = javascript + python

    private static func example(
        _ language: ScriptLanguage,
        _ name: String,
        _ title: String,
        _ script: String
    ) -> ScriptExample {
        ScriptExample(name: name, language: language, title: title, script: script)
    }

    private static let javascript = [
        example(.javascript, "timestamp", "The time, as ISO 8601", "return new Date().toISOString();"),
        example(.javascript, "unix-time", "Seconds since 1970", "return Math.floor(Date.now() / 1000);"),
        example(.javascript, "uuid", "A random UUID", "return crypto.randomUUID();"),
        example(
            .javascript,
            "random",
            "A random number of four digits",
            "return 1000 + Math.floor(Math.random() * 9000);"
        ),
        example(
            .javascript,
            "signature",
            "A signature of what is sent, with a shared secret",
            """
            const time = Math.floor(Date.now() / 1000);
            const text = [context.method, context.path, time].join("\\n");
            return `t=${time},v1=${hmac("sha256", "a shared secret", text)}`;
            """
        ),
        example(
            .javascript,
            "hash",
            "Whose request it is, without a name",
            "return sha256(context.owner + \"/\" + context.client_key).slice(0, 16);"
        ),
        example(
            .javascript,
            "date",
            "The day in a time zone",
            """
            return new Date().toLocaleDateString("sv-SE", { timeZone: "Asia/Shanghai" });
            """
        ),
    ]

    private static let python = [
        example(
            .python,
            "timestamp",
            "The time, as ISO 8601",
            "from datetime import datetime\nresult = datetime.now().isoformat()"
        ),
        example(.python, "unix-time", "Seconds since 1970", "import time\nresult = int(time.time())"),
        example(.python, "uuid", "A random UUID", "import uuid\nresult = str(uuid.uuid4())"),
        example(
            .python,
            "random",
            "A random number of four digits",
            "import random\nresult = str(random.randint(1000, 9999))"
        ),
        example(
            .python,
            "signature",
            "A signature of what is sent, with a shared secret",
            """
            import hashlib, hmac, time
            now = int(time.time())
            text = "\\n".join([context["method"], context["path"], str(now)])
            code = hmac.new(b"a shared secret", text.encode(), hashlib.sha256).hexdigest()
            result = f"t={now},v1={code}"
            """
        ),
        example(
            .python,
            "hash",
            "Whose request it is, without a name",
            """
            import hashlib
            who = context["owner"] + "/" + context["client_key"]
            result = hashlib.sha256(who.encode()).hexdigest()[:16]
            """
        ),
        example(
            .python,
            "date",
            "The day, eight hours east of Greenwich",
            """
            from datetime import datetime, timedelta, timezone
            result = datetime.now(timezone(timedelta(hours=8))).strftime("%Y-%m-%d")
            """
        ),
    ]
}
