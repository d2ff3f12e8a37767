from .onnx import Exported as Exported, export_onnx as export_onnx
from .page import export_page as export_page
