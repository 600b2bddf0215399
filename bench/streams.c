// Reads many paced event streams at once and measures how late each event is.
//
//   streams PORT PATH STREAMS EVENTS SPREAD_MS [HEADER…]
//
// The streams begin one after the other, evenly over SPREAD_MS. Each event's content is the time at which the provider
// sent it (CLOCK_MONOTONIC, nanoseconds, after "@"); the lag is the time from there to its arrival here. Prints one
// line of JSON; times are in microseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct stream {
    int socket;
    int events;
    long began;
    int has_first;
    char tail[64];
    int tail_length;
};

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

static int ascending(const void *left, const void *right) {
    long a = *(const long *)left, b = *(const long *)right;
    return (a > b) - (a < b);
}

static long percentile(long *values, int count, double share) {
    if (count == 0) return 0;
    qsort(values, count, sizeof(long), ascending);
    int index = (int)(share * count);
    return values[index < count ? index : count - 1] / 1000;
}

int main(int count, char **arguments) {
    if (count < 6) return 2;
    int port = atoi(arguments[1]), streams = atoi(arguments[3]), events = atoi(arguments[4]), spread = atoi(arguments[5]);
    static char request[4096];
    const char *body = "{\"model\":\"mock-1\",\"stream\":true}";
    int length = snprintf(request, sizeof request,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n",
        arguments[2], strlen(body));
    for (int index = 6; index < count; index++)
        length += snprintf(request + length, sizeof request - length, "%s\r\n", arguments[index]);
    length += snprintf(request + length, sizeof request - length, "\r\n%s", body);

    int poll = epoll_create1(0);
    struct stream *all = calloc(streams, sizeof *all);
    long *lags = calloc((size_t)streams * (events + 8), sizeof(long));
    long *firsts = calloc(streams, sizeof(long));
    int lag_count = 0, first_count = 0, open = 0, whole = 0, merged = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int index = 0; index < streams; index++) {
        all[index].socket = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(all[index].socket, (struct sockaddr *)&address, sizeof address) != 0) { perror("connect"); return 1; }
        int one = 1;
        setsockopt(all[index].socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
        epoll_ctl(poll, EPOLL_CTL_ADD, all[index].socket, &event);
        open++;
    }
    // Opening connections is not what is measured: let every side accept them first.
    usleep(200000);
    long start = now();
    int sent = 0;
    long deadline = start + 60000000000L;
    static char buffer[65536];
    struct epoll_event ready[256];
    while (open > 0 && now() < deadline) {
        while (sent < streams && now() - start >= (long)sent * spread * 1000000L / streams) {
            all[sent].began = now();
            if (write(all[sent].socket, request, length) != length) { perror("write"); return 1; }
            sent++;
        }
        long wait = sent < streams ? start + (long)sent * spread * 1000000L / streams - now() : 100000000L;
        struct timespec timeout = {.tv_nsec = wait > 0 ? wait : 0};
        int found = epoll_pwait2(poll, ready, 256, &timeout, NULL);
        for (int index = 0; index < found; index++) {
            struct stream *stream = &all[ready[index].data.u32];
            memcpy(buffer, stream->tail, stream->tail_length);
            ssize_t size = read(stream->socket, buffer + stream->tail_length, sizeof buffer - stream->tail_length - 1);
            long arrived = now();
            if (size <= 0) { close(stream->socket); open--; continue; }
            size += stream->tail_length;
            buffer[size] = 0;
            if (!stream->has_first && memmem(buffer, size, "data:", 5)) {
                stream->has_first = 1;
                firsts[first_count++] = arrived - stream->began;
            }
            char *at = buffer;
            int in_read = 0;
            while ((at = memchr(at, '@', buffer + size - at))) {
                char *end;
                long stamp = strtol(at + 1, &end, 10);
                if (*end != '"') break;
                if (stream->events < events) lags[lag_count++] = arrived - stamp;
                stream->events++;
                in_read++;
                at = end;
            }
            if (in_read > 1) merged += in_read - 1;
            if (memmem(buffer, size, "[DONE]", 6)) {
                if (stream->events == events) whole++;
                epoll_ctl(poll, EPOLL_CTL_DEL, stream->socket, NULL);
                close(stream->socket);
                open--;
                continue;
            }
            stream->tail_length = at ? (int)(buffer + size - at) : size < 7 ? (int)size : 7;
            if (stream->tail_length > 40) stream->tail_length = 40;
            memcpy(stream->tail, buffer + size - stream->tail_length, stream->tail_length);
        }
    }
    long p50 = percentile(lags, lag_count, 0.5), p99 = percentile(lags, lag_count, 0.99), most = percentile(lags, lag_count, 1);
    printf("{\"whole\":%d,\"events\":%d,\"merged\":%d,\"ttft p50\":%ld,\"ttft p99\":%ld,\"lag p50\":%ld,\"lag p99\":%ld,\"lag max\":%ld}\n",
        whole, lag_count, merged, percentile(firsts, first_count, 0.5), percentile(firsts, first_count, 0.99), p50, p99, most);
    return whole == streams ? 0 : 1;
}
