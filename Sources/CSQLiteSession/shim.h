#ifndef FASTGATE_CSQLITESESSION_SHIM_H
#define FASTGATE_CSQLITESESSION_SHIM_H

// SQLite's sessions and changesets, which its header shows on request only. No logic here.
#define SQLITE_ENABLE_SESSION 1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include <sqlite3.h>

#endif
