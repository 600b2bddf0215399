import GRDB

/// The configuration database's schema, step by step; a step that has been released never changes.
enum Migrations {
    static var all: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 objects") { db in
            try db.execute(sql: objects)
        }
        migrator.registerMigration("2 successors of rotated client keys") { db in
            try db.execute(sql: "ALTER TABLE client_keys ADD COLUMN successor_id INTEGER")
        }
        migrator.registerMigration("3 settings of operators") { db in
            try db.execute(
                sql:
                    "CREATE TABLE operator_settings (operator TEXT PRIMARY KEY, settings TEXT NOT NULL) STRICT"
            )
        }
        migrator.registerMigration("4 health and order of upstream keys") { db in
            try db.execute(
                sql: """
                    ALTER TABLE upstream_keys ADD COLUMN until INTEGER;
                    ALTER TABLE upstream_keys ADD COLUMN rests INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE upstream_keys ADD COLUMN weight INTEGER;
                    ALTER TABLE upstream_keys ADD COLUMN priority INTEGER;
                    """
            )
        }
        migrator.registerMigration("5 rules") { db in
            try db.execute(
                sql: """
                    CREATE TABLE rules (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        upstream_id INTEGER REFERENCES upstreams(id) ON DELETE CASCADE,
                        name TEXT NOT NULL,
                        position INTEGER NOT NULL,
                        enabled INTEGER NOT NULL DEFAULT 1,
                        definition TEXT NOT NULL,
                        hits INTEGER NOT NULL DEFAULT 0,
                        last_hit_at INTEGER,
                        version INTEGER NOT NULL DEFAULT 1
                    ) STRICT
                    """
            )
            try RuleStore.insertDefaults(db)
        }
        migrator.registerMigration("6 rate limits and quotas") { db in
            try db.execute(
                sql: """
                    ALTER TABLE client_keys ADD COLUMN limits TEXT;
                    ALTER TABLE client_keys ADD COLUMN counts_as INTEGER;
                    ALTER TABLE upstream_keys ADD COLUMN limits TEXT;
                    ALTER TABLE client_keys ADD COLUMN quota TEXT;
                    ALTER TABLE upstream_keys ADD COLUMN quota TEXT;
                    CREATE INDEX client_keys_counts_as ON client_keys (counts_as) WHERE counts_as IS NOT NULL;
                    """
            )
        }
        migrator.registerMigration("7 causes and tasks") { db in
            try db.execute(
                sql: """
                    ALTER TABLE upstream_keys ADD COLUMN cause TEXT;
                    ALTER TABLE client_keys ADD COLUMN expiry_noted INTEGER;
                    CREATE INDEX client_keys_expiring ON client_keys (expires_at) WHERE expires_at IS NOT NULL;
                    ALTER TABLE upstreams ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
                    ALTER TABLE upstreams ADD COLUMN reason TEXT;
                    ALTER TABLE upstreams ADD COLUMN cause TEXT;
                    ALTER TABLE upstreams ADD COLUMN until INTEGER;
                    ALTER TABLE upstreams ADD COLUMN rests INTEGER NOT NULL DEFAULT 0;
                    CREATE TABLE tasks (
                        name TEXT PRIMARY KEY,
                        interval_ms INTEGER,
                        began_at INTEGER,
                        duration_ms INTEGER,
                        succeeded INTEGER,
                        result TEXT
                    ) STRICT;
                    """
            )
        }
        migrator.registerMigration("8 header rules") { db in
            try db.execute(
                sql: """
                    CREATE TABLE header_rules (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        upstream_id INTEGER NOT NULL REFERENCES upstreams(id) ON DELETE CASCADE,
                        name TEXT NOT NULL,
                        kind TEXT NOT NULL,
                        value TEXT,
                        script TEXT,
                        on_failure TEXT NOT NULL,
                        fallback TEXT,
                        cache_seconds INTEGER NOT NULL,
                        position INTEGER NOT NULL,
                        enabled INTEGER NOT NULL,
                        version INTEGER NOT NULL DEFAULT 1
                    ) STRICT;
                    CREATE INDEX header_rules_of_upstream ON header_rules (upstream_id, position);
                    """
            )
        }
        migrator.registerMigration("9 notification channels and templates") { db in
            try db.execute(
                sql: """
                    CREATE TABLE notification_channels (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        name TEXT NOT NULL UNIQUE,
                        source TEXT NOT NULL,
                        enabled INTEGER NOT NULL DEFAULT 1,
                        definition TEXT,
                        sealed BLOB,
                        version INTEGER NOT NULL DEFAULT 1
                    ) STRICT;
                    CREATE TABLE notification_templates (
                        event TEXT NOT NULL,
                        channel_id INTEGER NOT NULL,
                        title TEXT NOT NULL,
                        body TEXT NOT NULL,
                        PRIMARY KEY (event, channel_id)
                    ) STRICT;
                    """
            )
        }
        migrator.registerMigration("10 digests of upstream keys") { db in
            try db.execute(
                sql: """
                    ALTER TABLE upstream_keys ADD COLUMN digest BLOB;
                    CREATE INDEX upstream_keys_digest ON upstream_keys (upstream_id, digest) WHERE digest IS NOT NULL;
                    """
            )
        }
        migrator.registerMigration("11 what changes did to rows") { db in
            try db.execute(
                sql: """
                    CREATE TABLE changesets (
                        id INTEGER PRIMARY KEY,
                        changeset BLOB NOT NULL,
                        undone_by INTEGER
                    ) STRICT;
                    ALTER TABLE changes ADD COLUMN changeset_id INTEGER;
                    ALTER TABLE changes ADD COLUMN undoes INTEGER;
                    """
            )
        }
        migrator.registerMigration("12 ids of upstreams are given once") { db in
            try db.execute(sql: upstreamsAnew)
        }
        migrator.registerMigration("13 versions that undo has made") { db in
            try db.execute(
                sql: """
                    CREATE TABLE version_aliases (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        object TEXT NOT NULL,
                        object_id INTEGER NOT NULL,
                        version INTEGER NOT NULL,
                        stands_for INTEGER NOT NULL
                    ) STRICT;
                    CREATE INDEX version_aliases_of_object ON version_aliases (object, object_id);
                    """
            )
        }
        migrator.registerMigration("14 since when keys and upstreams rest") { db in
            try db.execute(
                sql: """
                    ALTER TABLE upstream_keys ADD COLUMN since INTEGER;
                    ALTER TABLE upstreams ADD COLUMN since INTEGER;
                    """
            )
        }
        return migrator
    }

    /// An id that came again would have undo take another upstream for the one that had it.
    private static let upstreamsAnew = """
        CREATE TABLE upstreams_anew (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            slug TEXT NOT NULL UNIQUE,
            source TEXT NOT NULL,
            enabled INTEGER NOT NULL DEFAULT 1,
            definition TEXT,
            version INTEGER NOT NULL DEFAULT 1,
            state TEXT NOT NULL DEFAULT 'active',
            reason TEXT,
            cause TEXT,
            until INTEGER,
            rests INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        INSERT INTO upstreams_anew
            SELECT id, slug, source, enabled, definition, version, state, reason, cause, until, rests FROM upstreams;
        DELETE FROM sqlite_sequence WHERE name = 'upstreams_anew';
        INSERT INTO sqlite_sequence (name, seq) SELECT 'upstreams_anew', max(
            coalesce((SELECT max(id) FROM upstreams), 0),
            coalesce((SELECT max(object_id) FROM changes WHERE object = 'upstream'), 0)
        );
        DROP TABLE upstreams;
        ALTER TABLE upstreams_anew RENAME TO upstreams;
        """

    private static let objects = """
        CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
        CREATE TABLE upstreams (
            id INTEGER PRIMARY KEY,
            slug TEXT NOT NULL UNIQUE,
            source TEXT NOT NULL,
            enabled INTEGER NOT NULL DEFAULT 1,
            definition TEXT,
            version INTEGER NOT NULL DEFAULT 1
        ) STRICT;
        CREATE TABLE upstream_keys (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            upstream_id INTEGER NOT NULL REFERENCES upstreams(id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            source TEXT NOT NULL,
            location TEXT,
            param_name TEXT,
            value_prefix TEXT,
            sealed BLOB,
            state TEXT NOT NULL DEFAULT 'active',
            reason TEXT,
            version INTEGER NOT NULL DEFAULT 1,
            UNIQUE (upstream_id, name)
        ) STRICT;
        CREATE TABLE client_keys (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            owner TEXT NOT NULL,
            prefix TEXT NOT NULL UNIQUE,
            last4 TEXT NOT NULL,
            digest BLOB NOT NULL,
            enabled INTEGER NOT NULL DEFAULT 1,
            revoked_at INTEGER,
            expires_at INTEGER,
            permissions TEXT NOT NULL,
            notes TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            last_used_at INTEGER,
            version INTEGER NOT NULL DEFAULT 1
        ) STRICT;
        CREATE TABLE changes (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            operator TEXT NOT NULL,
            role TEXT NOT NULL,
            via TEXT NOT NULL,
            action TEXT NOT NULL,
            object TEXT NOT NULL,
            object_id INTEGER,
            before TEXT,
            after TEXT
        ) STRICT;
        CREATE TABLE idempotency (
            key TEXT NOT NULL,
            operator TEXT NOT NULL,
            request TEXT NOT NULL,
            answer TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (operator, key)
        ) STRICT;
        """
}
