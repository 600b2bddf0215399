// A provider of paced event streams whose own cost does not drown the figures: one thread, one write per event.
//
//   provider EVENTS GAP_MS
//
// Prints its port. Each request, whatever it asks, is answered with EVENTS events, GAP_MS apart; an event's content is
// "@" and the time at which it is sent (CLOCK_MONOTONIC, nanoseconds).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 65536 };

struct stream {
    long due;
    int sent;
    int is_open;
    int is_gone;
    int next;
    int pending;
    char request[4096];
};

static struct stream *streams[MOST];
// Streams in the order in which their next events are due: all gaps are equal, so it is a queue.
static int first = -1, last = -1;
static int events, gap;

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void enqueue(int descriptor) {
    streams[descriptor]->next = -1;
    if (last >= 0) streams[last]->next = descriptor; else first = descriptor;
    last = descriptor;
}

static void send_event(int descriptor) {
    struct stream *stream = streams[descriptor];
    if (stream->is_gone) {
        close(descriptor);
        return;
    }
    char out[1024], event[512];
    int length = 0;
    if (stream->sent == 0) {
        length = snprintf(out, sizeof out,
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    }
    int size = snprintf(event, sizeof event,
        "data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"mock-1\","
        "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@%ld\"},\"finish_reason\":null}]}\n\n", now());
    length += snprintf(out + length, sizeof out - length, "%x\r\n%s\r\n", size, event);
    stream->sent++;
    if (stream->sent == events) {
        length += snprintf(out + length, sizeof out - length, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
        stream->sent = 0;
        stream->is_open = 0;
    } else {
        stream->due += gap * 1000000L;
        enqueue(descriptor);
    }
    if (write(descriptor, out, length) != length) fprintf(stderr, "a stream's reader is gone or too slow\n");
}

// Answers once a request is there whole.
static void receive(int descriptor, int poll) {
    struct stream *stream = streams[descriptor];
    ssize_t size = read(descriptor, stream->request + stream->pending, sizeof stream->request - stream->pending - 1);
    if (size <= 0) {
        epoll_ctl(poll, EPOLL_CTL_DEL, descriptor, NULL);
        stream->is_gone = 1;
        if (!stream->is_open) close(descriptor);
        return;
    }
    stream->pending += size;
    stream->request[stream->pending] = 0;
    char *end = strstr(stream->request, "\r\n\r\n");
    char *header = strcasestr(stream->request, "content-length:");
    if (stream->is_open || !end || stream->pending < (end + 4 - stream->request) + (header ? atoi(header + 15) : 0)) return;
    stream->pending = 0;
    stream->is_open = 1;
    stream->due = now();
    send_event(descriptor);
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    events = atoi(arguments[1]);
    gap = atoi(arguments[2]);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 4096)) { perror("listen"); return 1; }
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        long wait = first < 0 ? 1000000000L : streams[first]->due - now();
        struct timespec timeout = {.tv_nsec = wait < 0 ? 0 : wait > 999999999L ? 999999999L : wait};
        int found = epoll_pwait2(poll, ready, 256, &timeout, NULL);
        for (int index = 0; index < found; index++) {
            int descriptor = ready[index].data.fd;
            if (descriptor != listener) { receive(descriptor, poll); continue; }
            while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                int one = 1;
                setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                if (descriptor >= MOST) { close(descriptor); continue; }
                if (!streams[descriptor]) streams[descriptor] = malloc(sizeof **streams);
                memset(streams[descriptor], 0, sizeof **streams);
                event.data.fd = descriptor;
                epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event);
            }
        }
        while (first >= 0 && streams[first]->due <= now()) {
            int descriptor = first;
            first = streams[descriptor]->next;
            if (first < 0) last = -1;
            send_event(descriptor);
        }
    }
}
