"""Diagnosis: what is measured while a network trains, what that says of the training, and what to change."""

from sightline.diagnosis.finding import Finding as Finding
from sightline.diagnosis.finding import Severity as Severity
from sightline.diagnosis.findings import diagnose as diagnose
from sightline.diagnosis.findings import passed as passed
from sightline.diagnosis.history import History as History
from sightline.diagnosis.history import Line as Line
from sightline.diagnosis.history import Predicted as Predicted
from sightline.diagnosis.watch import Watch as Watch
