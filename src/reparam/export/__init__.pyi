from .hub import push_to_hub as push_to_hub
from .onnx import Exported as Exported, export_onnx as export_onnx
from .page import export_page as export_page
