#!/bin/sh
exec /opt/aileron/bin/aileron-python /opt/aileron/inside/serve.py "$@"
