"""The bundled compact model: network, training, rendered scenes."""
