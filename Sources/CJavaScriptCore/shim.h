#ifndef FASTGATE_JAVASCRIPTCORE_SHIM_H
#define FASTGATE_JAVASCRIPTCORE_SHIM_H

#include <JavaScriptCore/JavaScript.h>

#endif
