#ifndef FASTGATE_JAVASCRIPTCORE_SHIM_H
#define FASTGATE_JAVASCRIPTCORE_SHIM_H

#include <JavaScriptCore/JavaScript.h>

// Exported by the library and declared in a private header of it only. The limit is processor time in seconds; the
// callback is asked when it is reached, and has to set it anew if it is to be asked again.
typedef bool (*JSShouldTerminateCallback)(JSContextRef context, void *_Nullable data);
void JSContextGroupSetExecutionTimeLimit(
    JSContextGroupRef group, double limit, JSShouldTerminateCallback callback, void *_Nullable data);
void JSContextGroupClearExecutionTimeLimit(JSContextGroupRef group);

#endif
