#!/bin/sh
# Our own Python with its own C library, whatever the image has. -I: nothing of the image or the workspace is imported.
home=/opt/aileron/python
exec "$home/libc/loader" --library-path "$home/libc" "$home/bin/python3" -I -B "$@"
