"""Logs of real calls, as large as a test needs: many calls on many connections, written ahead of their answers."""

import socket
import threading


def fill(server, count, connections=64):
    """Leaves exactly `count` records: calls of GenerateRandom at the AWS door (HTTP/1.1, pipelined)."""
    host, port = server.address.split(":")
    body = b'{"NumberOfBytes":1}'
    scope = "Credential=a/20260101/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=0"
    request = (
        f"POST / HTTP/1.1\r\nHost: {server.address}\r\nX-Amz-Target: TrentService.GenerateRandom\r\n"
        f"Content-Type: application/x-amz-json-1.1\r\nAuthorization: AWS4-HMAC-SHA256 {scope}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    answered = []

    def call(share):
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            writer = threading.Thread(target=connection.sendall, args=(request * share,))
            writer.start()
            seen, tail = 0, b""
            while seen < share:
                received = connection.recv(1 << 18)
                if not received:
                    break
                seen += (tail + received).count(b"HTTP/1.1 200 OK\r\n")
                tail = received[-16:]
            writer.join()
            answered.append(seen)

    shares = [count // connections + (i < count % connections) for i in range(connections)]
    callers = [threading.Thread(target=call, args=(share,)) for share in shares if share]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sum(answered) == count
