# docker build -t fairmot-lab . && docker run --rm -p 8888:8888 fairmot-lab
FROM python:3.11-slim

RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 libgomp1 && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home user && mkdir /lab && chown user /lab
WORKDIR /lab

COPY pyproject.toml constraints.txt README.md /opt/fairmot_lab/
COPY fairmot_lab /opt/fairmot_lab/fairmot_lab
RUN pip install --no-cache-dir -c /opt/fairmot_lab/constraints.txt '/opt/fairmot_lab[paddle,tune]'

COPY --chown=user docs docs
COPY --chown=user notebooks notebooks
USER user
# all that a first run would make: machine code, the font cache, the demo with its detections
RUN fairmot-lab warm-up
RUN fairmot-lab demo --quiet

EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser", "--LabApp.default_url=/lab/tree/notebooks/01_quickstart.ipynb"]
